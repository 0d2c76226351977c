"""A client of the submission ports: Python's smtplib, which nobody here wrote.

Arguments: the way in (`starttls PORT`, or `tls PORT`), the authority, the SMTP port of everybody. The
password comes on standard input. Ends with 0 when everything was as it has to be.
"""

import base64
import smtplib
import ssl
import sys

WAY, PORT, CA, OPEN_PORT = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
PASSWORD = sys.stdin.readline().rstrip("\n")
ANNA, BEN, CARL = "anna@example.test", "ben@example.test", "carl@elsewhere.example"
PLAIN = "PLAIN " + base64.b64encode(f"\0{ANNA}\0{PASSWORD}".encode()).decode()


def expect(said, code, status):
    assert said[0] == code and said[1].startswith(status), (said, code, status)


def foreign_is_refused_on_the_open_port():
    with smtplib.SMTP("127.0.0.1", OPEN_PORT) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        expect(client.docmd("AUTH", PLAIN), 502, b"5.5.1")
        expect(client.mail(ANNA), 250, b"2.1.0")
        expect(client.rcpt(CARL), 550, b"5.7.1")
        expect(client.rcpt(BEN), 250, b"2.1.5")


def connect():
    context = ssl.create_default_context(cafile=CA)
    if WAY == "tls":
        return smtplib.SMTP_SSL("localhost", PORT, context=context)
    context.check_hostname = False
    client = smtplib.SMTP("127.0.0.1", PORT)
    client.ehlo()
    assert client.has_extn("starttls") and not client.has_extn("auth")
    expect(client.docmd("AUTH", PLAIN), 538, b"5.7.11")
    expect(client.mail(ANNA), 530, b"5.7.0")
    client.starttls(context=context)
    return client


def logins_that_fail():
    with connect() as client:
        client.ehlo()
        assert client.has_extn("auth"), client.esmtp_features
        expect(client.mail(ANNA), 530, b"5.7.0")
        wrong = [(ANNA, PASSWORD + "!", 535), ("eve@example.test", PASSWORD, 535), (ANNA, "", 501)]
        for name, password, code in wrong + [(ANNA, PASSWORD.upper(), 421)]:
            client.user, client.password = name, password
            try:
                client.auth("PLAIN", client.auth_plain)
                raise AssertionError("it is let in")
            except smtplib.SMTPAuthenticationError as error:
                assert error.smtp_code == code, error


def mail_goes_out():
    for mechanism in ["PLAIN", "LOGIN"]:
        with connect() as client:
            client.ehlo()
            client.user, client.password = ANNA, PASSWORD
            method = client.auth_plain if mechanism == "PLAIN" else client.auth_login
            expect(client.auth(mechanism, method), 235, b"2.7.0")
            expect(client.mail(BEN), 553, b"5.7.1")
            client.rset()
            text = f"Subject: {WAY} {mechanism}\r\n\r\nhello\r\n"
            assert client.sendmail(ANNA, [BEN, CARL], text) == {}


foreign_is_refused_on_the_open_port()
logins_that_fail()
mail_goes_out()
