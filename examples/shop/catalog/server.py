"""The catalog: knows the items (a mounted ConfigMap file) and asks pricing what each costs."""
import json
import os
import signal
import socket
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ITEMS_FILE = os.environ.get("ITEMS_FILE", "/config/items")
PRICING_URL = os.environ.get("PRICING_URL", "http://pricing")
SHOP_KEY = os.environ.get("SHOP_KEY", "")
CURRENCY = os.environ.get("CURRENCY", "EUR")


def priced_items():
    with open(ITEMS_FILE, encoding="utf-8") as file:
        names = [line.strip() for line in file if line.strip()]
    items, priced_by = [], ""
    for name in names:
        url = f"{PRICING_URL}/price/{urllib.request.quote(name)}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            price = json.load(answer)
        priced_by = price["servedBy"]
        items.append({"name": name, "price": price["amount"]})
    return {"items": items, "currency": CURRENCY, "servedBy": socket.gethostname(), "pricedBy": priced_by}


class Handler(BaseHTTPRequestHandler):
    def answer(self, code, body):
        data = (json.dumps(body) + "\n").encode()
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == "/healthz":
            self.answer(200, {"ok": True})
        elif self.path != "/items":
            self.answer(404, {"error": "not found"})
        elif self.headers.get("x-shop-key") != SHOP_KEY:
            self.answer(403, {"error": "wrong key"})
        else:
            try:
                self.answer(200, priced_items())
            except OSError as error:
                self.answer(502, {"error": str(error)})

    def log_message(self, format, *args):
        if self.path != "/healthz":
            print(f"{self.command} {self.path}", format % args, flush=True)


server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler)
# Requests that are being answered when the pod is told to end are answered.
server.daemon_threads = False
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("catalog listens", flush=True)
server.serve_forever()
server.server_close()
sys.exit(0)
