/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pages for browsers, in pieces. Where a page needs the nonce of its security policy, two
 * pieces meet. It works without the script, which sends each file by a PUT of its own and shows
 * how far it is.
 */
#ifndef UPLOAD_FORM_PAGE_H
#define UPLOAD_FORM_PAGE_H

static const char page_head[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\">\n"
	"<head>\n"
	"<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n"
	"<title>Upload</title>\n"
	"<style nonce=\"";

static const char page_style[] =
	"\">\n"
	"body { font: 1.1em/1.5 system-ui, sans-serif; max-width: 40em; margin: 2em auto;\n"
	"  padding: 0 1em; }\n"
	"input, button { font: inherit; margin: 0 0 1em; max-width: 100%; }\n"
	"button { display: block; padding: .3em 1.5em; }\n"
	"progress { width: 100%; height: 1.2em; }\n"
	"ul { padding-left: 1.2em; }\n"
	"li { overflow-wrap: anywhere; }\n"
	"</style>\n"
	"</head>\n"
	"<body>\n"
	"<main>\n"
	"<h1>Upload</h1>\n";

static const char page_form[] =
	"<form method=\"post\" enctype=\"multipart/form-data\">\n"
	"<p><label for=\"files\">Files to send</label><br>\n"
	"<input id=\"files\" type=\"file\" name=\"files\" multiple required>\n"
	"<button>Send</button>\n"
	"</form>\n"
	"<div id=\"progress\" hidden>\n"
	"<p><label for=\"bar\">Sent so far</label> <progress id=\"bar\" max=\"1\" value=\"0\"></progress>\n"
	"</div>\n"
	"<ul id=\"report\" role=\"status\"></ul>\n"
	"<script nonce=\"";

static const char page_script[] =
	"\">\n"
	"const form = document.forms[0], bar = document.getElementById('bar');\n"
	"const report = document.getElementById('report');\n"
	"const reasons = { 400: 'this name cannot be stored', 403: 'the server may not store it',\n"
	"  409: 'a file of this name is there already', 413: 'it is too large',\n"
	"  507: 'there is no room left' };\n"
	"function send(file, progress) {\n"
	"  return new Promise(done => {\n"
	"    const request = new XMLHttpRequest();\n"
	"    request.upload.onprogress = event => progress(event.loaded);\n"
	"    request.onloadend = () => done(request);\n"
	"    request.open('PUT', location.pathname + encodeURIComponent(file.name));\n"
	"    request.send(file);\n"
	"  });\n"
	"}\n"
	"function tell(file, request) {\n"
	"  const item = document.createElement('li');\n"
	"  const where = request.getResponseHeader('Location');\n"
	"  if (request.status >= 200 && request.status < 300) {\n"
	"    const name = document.createElement(where ? 'a' : 'span');\n"
	"    if (where) name.href = where.slice(where.lastIndexOf('/') + 1);\n"
	"    name.textContent = file.name;\n"
	"    item.append(name, ': stored');\n"
	"  } else {\n"
	"    item.textContent = file.name + ': not stored, ' +\n"
	"      (reasons[request.status] || (request.status ? 'error ' + request.status\n"
	"                                                  : 'the connection broke'));\n"
	"  }\n"
	"  report.append(item);\n"
	"}\n"
	"form.onsubmit = async event => {\n"
	"  event.preventDefault();\n"
	"  const files = [...form.files.files], button = form.querySelector('button');\n"
	"  const total = files.reduce((sum, file) => sum + file.size, 0) || 1;\n"
	"  let before = 0;\n"
	"  button.disabled = true;\n"
	"  report.replaceChildren();\n"
	"  document.getElementById('progress').hidden = false;\n"
	"  for (const file of files) {\n"
	"    tell(file, await send(file, loaded => { bar.value = (before + loaded) / total; }));\n"
	"    before += file.size;\n"
	"    bar.value = before / total;\n"
	"  }\n"
	"  if (!before) bar.value = 1;\n"
	"  button.disabled = false;\n"
	"  form.reset();\n"
	"};\n"
	"</script>\n";

static const char page_end[] = "</main>\n</body>\n</html>\n";

#endif
