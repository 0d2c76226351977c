#!/usr/bin/env python3
"""A small adapter around a small mail server, to try the suite on: the server role of SMTP, a queue on
disk, and one attempt every 60 s on each connector. It knows nothing of the member protocols and claims
none. `--lie ok` says yes to everything; `--lie clock` has a clock that does not move; `--mutant NAME`
plants one error."""
import argparse, json, os, re, select, socket, sys

ARGS = argparse.ArgumentParser()
ARGS.add_argument("--lie", choices=["ok", "clock"])
ARGS.add_argument("--mutant", default="")
OPTIONS = ARGS.parse_args()
MINUTE = 60_000_000
LIMIT = 100_000
DOMAIN = "example.test"


class Refused(Exception):
    pass


class Connection:
    def __init__(self, sock, server):
        self.sock, self.server = sock, server
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.local, self.remote = sock.getsockname(), sock.getpeername()
        self.received = self.sent = 0
        self.eof = self.reset = False
        self.buffer, self.long, self.hello = b"", False, None
        self.clear()
        if server:
            self.say("220 fake.test ready")

    def clear(self):
        self.sender, self.recipients, self.data = None, [], None

    def say(self, text):
        octets = (text + "\r\n").encode()
        try:
            self.sock.sendall(octets)
            self.sent += len(octets)
        except OSError:
            self.reset = True

    def read(self):
        try:
            octets = self.sock.recv(65536)
        except OSError:
            self.reset = True
            return
        if not octets:
            self.eof = True
            return
        self.received += len(octets)
        if self.server:
            self.buffer += octets
            self.work()

    def work(self):
        while not self.eof:
            if self.data is not None:
                end = rb"\r?\n\.\r?\n" if OPTIONS.mutant == "bare-lf" else rb"\r\n\.\r\n"
                text = b"\r\n" + self.buffer
                found = re.search(end, text)
                if not found:
                    return
                body, self.buffer = text[2:found.start() + 2], text[found.end():]
                self.finish(body)
            else:
                line, newline, rest = self.buffer.partition(b"\r\n")
                if not newline:
                    if len(line) > 2048:
                        self.long, self.buffer = True, line[-1:]
                    return
                self.buffer = rest
                if self.long or len(line) > 2046:
                    self.long = False
                    self.say("500 5.5.2 line too long")
                else:
                    self.command(line.decode("latin-1"))

    def finish(self, body):
        recipients, self.data = self.recipients, None
        self.clear()
        if re.search(rb"\r(?!\n)|(?<!\r)\n", body) and OPTIONS.mutant != "bare-lf":
            return self.say("550 5.6.0 bare CR or LF")
        queue = NODE.accept(recipients)
        self.say("250 2.0.0 queued" if OPTIONS.mutant == "no-queue-id" else f"250 2.0.0 queued as {queue}")

    def command(self, line):
        verb, _, rest = line.partition(" ")
        verb, rest = verb.upper(), rest.strip()
        handler = getattr(self, "do_" + verb.lower(), None) if verb.isalpha() else None
        if handler is None:
            code = "250 2.0.0 whatever" if OPTIONS.mutant == "accepts-unknown" else "500 5.5.1 unknown"
            return self.say(code)
        handler(rest)

    def do_ehlo(self, rest):
        if not rest:
            return self.say("501 5.5.4 a name, please")
        self.hello = rest
        self.clear()
        keywords = ["PIPELINING", f"SIZE {LIMIT}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN"]
        if OPTIONS.mutant == "no-utf8":
            keywords.remove("SMTPUTF8")
        if OPTIONS.mutant == "offers-submit":
            keywords.append("X-SUBMIT")
        for word in ["fake.test"] + keywords[:-1]:
            self.say("250-" + word)
        self.say("250 " + keywords[-1])

    def do_helo(self, rest):
        self.hello = rest
        self.say("250 fake.test")

    def do_noop(self, _):
        self.say("250 2.0.0 ok")

    def do_rset(self, _):
        if OPTIONS.mutant != "rset-keeps":
            self.clear()
        self.say("250 2.0.0 ok")

    def do_vrfy(self, _):
        self.say("252 2.5.0 try and see")

    def do_quit(self, _):
        self.say("221 2.0.0 bye")
        if OPTIONS.mutant != "quit-stays":
            self.eof = True

    def do_mail(self, rest):
        if self.hello is None:
            return self.say("503 5.5.1 EHLO first")
        match = re.match(r"(?i)FROM:<([^<>\s]*)>((?: \S+)*)$", rest)
        if not match:
            return self.say("501 5.5.4 FROM:<…>")
        if self.sender is not None and OPTIONS.mutant != "mail-twice":
            return self.say("503 5.5.1 one at a time")
        if match[1] == "" and OPTIONS.mutant == "no-null-sender":
            return self.say("501 5.1.7 who?")
        for parameter in match[2].split():
            key, _, value = parameter.upper().partition("=")
            if key == "SIZE" and int(value) > LIMIT and OPTIONS.mutant != "any-size":
                return self.say("552 5.3.4 too large")
            if key not in ("SIZE", "BODY", "RET", "ENVID", "SMTPUTF8"):
                return self.say("555 5.5.4 not offered")
        self.sender = match[1]
        self.say("250 2.1.0 ok")

    def do_rcpt(self, rest):
        match = re.match(r"(?i)TO:<([^<>\s@]+(?:@[^<>\s@]+)?)>((?: \S+)*)$", rest)
        if self.sender is None:
            return self.say("503 5.5.1 MAIL first")
        if not match:
            return self.say("501 5.5.4 TO:<…>")
        local, _, domain = match[1].partition("@")
        if domain not in ("", DOMAIN) and OPTIONS.mutant != "open-relay":
            return self.say("550 5.7.1 no relay")
        known = local.lower() == "postmaster" or NODE.host(match[1]) is not None
        if self.recipients and OPTIONS.mutant == "one-recipient":
            return self.say("452 4.5.3 one is enough")
        if not known and OPTIONS.mutant not in ("any-user", "open-relay"):
            return self.say("550 5.1.1 nobody of that name")
        self.recipients.append(match[1])
        self.say("250 2.1.5 ok")

    def do_data(self, _):
        if not self.recipients:
            return self.say("503 5.5.1 RCPT first")
        self.data = True
        self.say("354 go ahead")


class Node:
    def __init__(self):
        self.now = 0
        self.setup = None
        self.listeners, self.connections, self.timers = [], [], {}

    def path(self):
        return os.path.join(self.setup["dir"], "queue.json")

    def queue(self):
        try:
            with open(self.path()) as file:
                return json.load(file)
        except OSError:
            return []

    def host(self, address):
        accounts = self.setup["organization"]["account"]
        return next((a["host"] for a in accounts if a["address"] == address.lower()), None)

    def accept(self, recipients):
        queue = self.queue()
        name = f"{len(queue) + 1:016x}"
        queue.append({"queue": name, "recipients": recipients})
        os.makedirs(self.setup["dir"], exist_ok=True)
        with open(self.path() + ".new", "w") as file:
            json.dump(queue, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(self.path() + ".new", self.path())
        return name

    def configure(self, request):
        self.setup = request
        self.now = request.get("now_us", 0)
        return {}

    def start(self, _):
        listen = {}
        for port, address in self.setup["listen"].items():
            host, _, number = address.rpartition(":")
            sock = socket.socket()
            try:
                sock.bind((host, int(number)))
                sock.listen(64)
            except OSError as error:
                raise Refused("cannot-listen", str(error))
            sock.setblocking(False)
            self.listeners.append((sock, port))
            listen[port] = "%s:%d" % sock.getsockname()
        for via in self.setup["via"]:
            self.timers[via["connector"]] = self.now
            self.attempt(via)
        return {"listen": listen}

    def attempt(self, via):
        host, _, port = via["address"].rpartition(":")
        self.timers[via["connector"]] += (59_000_000 if OPTIONS.mutant == "early-retry" else MINUTE)
        sock = socket.socket()
        sock.bind((self.setup["source"], 0))
        try:
            sock.connect((host, int(port)))
            self.connections.append(Connection(sock, False))
        except OSError:
            sock.close()

    def turn(self, wait):
        """Serves what is ready; False when nothing was."""
        self.connections = [c for c in self.connections if not self.over(c)]
        sources = [s for s, _ in self.listeners] + [c.sock for c in self.connections]
        ready, _, _ = select.select(sources + ([sys.stdin] if wait else []), [], [], None if wait else 0)
        for sock, port in self.listeners:
            if sock in ready:
                accepted, _ = sock.accept()
                self.connections.append(Connection(accepted, port == "smtp"))
        for connection in self.connections:
            if connection.sock in ready:
                connection.read()
        return [r for r in ready if r is not sys.stdin], sys.stdin in ready

    @staticmethod
    def over(connection):
        if connection.eof or connection.reset:
            connection.sock.close()
            return True
        return False

    def quiesce(self, _):
        while self.turn(False)[0]:
            pass
        show = lambda c: {
            "local": "%s:%d" % c.local, "remote": "%s:%d" % c.remote, "received": c.received,
            "sent": c.sent, "eof": c.eof, "reset": c.reset}
        return {"idle": True, "now_us": self.now, "next_us": min(self.timers.values(), default=None),
                "connections": [show(c) for c in self.connections]}

    def advance(self, request):
        to, due = request["to_us"], min(self.timers.values(), default=None)
        if to < self.now:
            raise Refused("backwards", f"now is {self.now}")
        if due is not None and to > due:
            raise Refused("skipped-timer", f"one is due at {due}")
        if OPTIONS.lie != "clock":
            self.now = to
        fired = [via for via in self.setup["via"] if self.timers[via["connector"]] <= self.now]
        for via in fired:
            self.attempt(via)
        return {"now_us": self.now, "fired": len(fired), "next_us": min(self.timers.values(), default=None)}

    def inspect(self, request):
        if request.get("what") != "queue":
            raise Refused("unsupported", "queue only")
        return {"messages": self.queue()}

    def reset(self, _):
        for sock, _ in self.listeners:
            sock.close()
        for connection in self.connections:
            connection.sock.close()
        self.listeners, self.connections, self.timers = [], [], {}
        if os.path.exists(self.path()):
            os.unlink(self.path())
        return {}

    def hello(self, request):
        if set(request.get("profiles", [])) - {"smtp/server"} or set(request.get("caps", [])) - {"inspect.queue", "kill"}:
            raise Refused("unsupported", "smtp/server only")
        return {"impl": "fake", "version": "1", "proto": 1, "clock": "virtual",
                "profiles": ["smtp/server"], "caps": ["inspect.queue", "kill"]}


NODE = Node()
OPS = {"hello", "configure", "start", "quiesce", "advance", "inspect", "reset"}


def answer(line):
    request = json.loads(line)
    if OPTIONS.lie == "ok":
        return {"id": request["id"], "ok": {}}
    if request["op"] not in OPS:
        return {"id": request["id"], "err": "unknown-op", "text": request["op"]}
    try:
        return {"id": request["id"], "ok": getattr(NODE, request["op"])(request)}
    except Refused as refused:
        return {"id": request["id"], "err": refused.args[0], "text": refused.args[1]}


while True:
    if NODE.turn(True)[1]:
        text = sys.stdin.readline()
        if not text:
            break
        print(json.dumps(answer(text)), flush=True)
