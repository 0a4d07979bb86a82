#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Stands for the unit tests where they could not be built, so that nobody takes them for passed.
echo "1..0 # SKIP unit tests were not built: configure found no Check"
