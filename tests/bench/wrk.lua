-- SPDX-License-Identifier: BSD-2-Clause
--
-- What wrk asks, chosen by the arguments after "--":
--   plain                 the same request again and again (wrk's own path: no Lua at run time)
--   pipeline COUNT        COUNT requests in one write
--   zipf FILES LENGTH     FILES paths, popularity by Zipf's law with exponent 1; the sequence
--                         has LENGTH entries and is the same in every run
-- At the end one line "@@ {json}" for the caller.

local function pipeline(count)
	local batch = string.rep(wrk.format(), count)
	request = function() return batch end
end

-- Park and Miller's generator: exact in doubles, the same everywhere.
local function generator(seed)
	local x = seed
	return function()
		x = (x * 16807) % 2147483647
		return x / 2147483647
	end
end

local function zipf(files, length)
	local cumulative, sum = {}, 0
	for rank = 1, files do
		sum = sum + 1 / rank
		cumulative[rank] = sum
	end
	local random = generator(20240229)
	local requests, sequence = {}, {}
	for i = 1, length do
		local wanted, low, high = random() * sum, 1, files
		while low < high do
			local middle = math.floor((low + high) / 2)
			if cumulative[middle] < wanted then low = middle + 1 else high = middle end
		end
		if not requests[low] then
			requests[low] = wrk.format("GET", string.format("/z/%02d/%05d.html", low % 100, low))
		end
		sequence[i] = requests[low]
	end
	local at = 0
	request = function()
		at = at % length + 1
		return sequence[at]
	end
end

function init(args)
	if args[1] == "pipeline" then pipeline(tonumber(args[2])) end
	if args[1] == "zipf" then zipf(tonumber(args[2]), tonumber(args[3])) end
end

function done(summary, latency, requests)
	local errors = summary.errors
	io.write(string.format(
		'@@ {"seconds": %.6f, "answers": %d, "bytes": %d, "errors": %d, "bad_status": %d, ' ..
		'"p50_us": %.1f, "p99_us": %.1f, "max_us": %.1f}\n',
		summary.duration / 1e6, summary.requests, summary.bytes,
		errors.connect + errors.read + errors.write + errors.timeout, errors.status,
		latency:percentile(50), latency:percentile(99), latency.max))
end
