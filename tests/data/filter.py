"""An external filter for the tests: it does what the message asks for.

The first argument is a file to which it writes its process id and what it is given.
"""

import os
import subprocess
import sys

NONSENSE = "what a nice day"
# What is written of a line that never ends, at a time.
PIECE = "x" * 65536
# What no header may have, by the words that ask for it.
UNFIT = {
    "please stretch": "X-Spam: " + "x" * 1200,
    "please accent": "X-Spam: tr\u00e8s",
    "please control": "X-Spam: a\u0007b",
    "please chat": "no header at all",
}
# Reasons that nobody may hear as they are, by the words that ask for them; the first is Latin-1.
REASONS = {
    "please whisper": "tr\udce8s \udcfc",
    "please lecture": "x" * 3000,
}


def emigrant():
    """A process that holds our standard output in a session of its own."""
    command = ["sleep", "1000"]
    return subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL).pid


def judge(number, path, log):
    """The answer to one message, or None for none."""
    with open(path, newline="") as message:
        text = message.read()
    log.write("given %r\n" % text)
    if "please die" in text:
        os._exit(1)
    if "please hang" in text:
        return None
    if "please flood" in text:
        while True:
            print("* and another thing", flush=True)
    if "please drone" in text:
        while True:
            print(PIECE, end="", flush=True)
    if "please breed" in text:
        # It holds our standard output, as a helper that was forgotten does.
        log.write("child %d\n" % subprocess.Popen(["sleep", "1000"]).pid)
        os._exit(1)
    if "please emigrate" in text:
        # So does this one, in a session of its own, where nobody can reach it through us.
        log.write("emigrant %d\n" % emigrant())
        os._exit(1)
    if "please retire" in text:
        log.write("emigrant %d\n" % emigrant())
        print(f"{number} OK", flush=True)
        os._exit(0)
    if "please babble" in text:
        return NONSENSE
    if "please fail" in text:
        return f"{number} FAILURE"
    for words, reason in REASONS.items():
        if words in text:
            return f'{number} ERROR "{reason}"'
    if "please reject" in text:
        return f'{number} ERROR "this is \\"spam\\""'
    if "please discard" in text:
        return f"{number} DISCARD"
    for words, field in UNFIT.items():
        if words in text:
            return f'{number} ADDHEADER "{field}" OK'
    if "please fold" in text:
        return f'{number} ADDHEADER "X-Spam: {"word " * 300}" OK'
    if "please mark" in text:
        return f'{number} ADDHEADER "X-Spam: yes\\eX-Score: 7" OK'
    return f"{number} OK"


def main():
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    log = open(sys.argv[1], "a", buffering=1)
    log.write(f"pid {os.getpid()}\n")
    print("* the filter is here", flush=True)
    for line in sys.stdin:
        number, verb, *rest = line.split()
        if verb == "INTF":
            answer = f"{number} INTF 3"
        elif verb == "FILE":
            answer = judge(number, rest[0], log)
        else:
            answer = f"{number} OK"
        if answer is not None:
            print(answer, flush=True)
        if verb == "QUIT":
            return


main()
