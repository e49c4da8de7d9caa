"""A server that answers with names and probabilities: a JSON line for each example in, a JSON line for each out.

sigfft export --workdir runs/demo --out model.sigfft
python examples/serve.py model.sigfft --port 8000
curl --data-binary @examples.jsonl http://127.0.0.1:8000      # {"features": [0.1, ...]} a line
"""

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import sigfft.serving

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("model", help="a file that sigfft.serving.save or `sigfft export` wrote")
parser.add_argument("--port", type=int, default=8000, help="0: any that is free (default: %(default)s)")
args = parser.parse_args()
served = sigfft.serving.load(args.model)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            examples = [json.loads(line) for line in body.splitlines()]
            named = served.inputs[0].name is not None
            batch = {spec.name: [e[spec.name] for e in examples] for spec in served.inputs} if named else examples
            status, lines = 200, [json.dumps(answer) for answer in served.answer(batch)]
        except (ValueError, TypeError, KeyError) as error:
            status, lines = 400, [json.dumps({"error": str(error)})]
        self.send_response(status)
        self.send_header("Content-Type", "application/jsonl")
        self.end_headers()
        self.wfile.write("".join(f"{line}\n" for line in lines).encode())


server = ThreadingHTTPServer(("127.0.0.1", args.port), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
