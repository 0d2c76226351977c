//! The words in cases and vectors that stand for addresses, and what takes their place.

use serde::{Deserialize, Serialize};

/// Addresses that the conversations use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parameters {
    /// A recipient that is accepted.
    pub(crate) recipient: String,
    /// A recipient in a domain of the server that does not exist.
    pub(crate) unknown: Option<String>,
    /// A sender that is accepted.
    pub(crate) sender: String,
    /// Who logs in on the submission ports, if anybody can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) login: Option<Login>,
}

/// Who logs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    /// With this name.
    pub(crate) name: String,
    /// And sends with this address.
    pub(crate) sender: String,
    /// The password, which no report has.
    #[serde(skip)]
    pub(crate) password: Secret,
}

/// A text that nobody is shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("***")
    }
}

impl Parameters {
    /// The recipient, where it has a domain.
    pub(crate) fn mailbox(&self) -> Option<&str> {
        self.recipient.contains('@').then_some(self.recipient.as_str())
    }

    /// Replaces `{recipient}`, `{mailbox}`, a recipient with a domain, `{unknown}`, `{sender}`, `{ehlo}`,
    /// and `{fresh}`, a number that stands alone for the case that is the `begun`th of its run; of who
    /// logs in `{login}`, the name, `{submitter}`, the address, and responses without the password:
    /// `{name64}`, `{wrong-plain}`, `{wrong64}` and `{nobody-plain}`.
    pub(crate) fn expand(&self, octets: &[u8], ehlo: &str, begun: u64) -> Result<Vec<u8>, String> {
        let mut octets = octets.to_vec();
        let fresh = (FRESH + begun).to_string();
        let name = self.login.as_ref().map(|login| base64(login.name.as_bytes()));
        let wrong_plain = self.login.as_ref().map(|login| plain("", &login.name, WRONG));
        let (wrong, nobody) = (base64(WRONG.as_bytes()), plain("", NOBODY, WRONG));
        let words = [
            ("{fresh}", Some(fresh.as_str())),
            ("{recipient}", Some(self.recipient.as_str())),
            ("{mailbox}", self.mailbox()),
            ("{unknown}", self.unknown.as_deref()),
            ("{sender}", Some(self.sender.as_str())),
            ("{ehlo}", Some(ehlo)),
            ("{login}", self.login.as_ref().map(|login| login.name.as_str())),
            ("{submitter}", self.login.as_ref().map(|login| login.sender.as_str())),
            ("{name64}", name.as_deref()),
            ("{wrong-plain}", wrong_plain.as_deref()),
            ("{wrong64}", Some(wrong.as_str())),
            ("{nobody-plain}", Some(nobody.as_str())),
        ];
        replace(&mut octets, &words)?;
        Ok(octets)
    }

    /// Replaces the words that stand for the password, which only the server may hear: `{plain}`,
    /// `{plain-itself}` and `{plain-as-another}`, which name an identity besides, and `{password64}`.
    pub(crate) fn reveal(&self, octets: &[u8]) -> Result<Vec<u8>, String> {
        let mut octets = octets.to_vec();
        let response = |identity: &str| {
            let login = self.login.as_ref()?;
            Some(plain(identity, &login.name, &login.password.0))
        };
        let itself = self.login.as_ref().and_then(|login| response(&login.name));
        let password = self.login.as_ref().map(|login| base64(login.password.0.as_bytes()));
        let words = [
            ("{plain}", response("")),
            ("{plain-itself}", itself),
            ("{plain-as-another}", response(NOBODY)),
            ("{password64}", password),
        ];
        let words = words.each_ref().map(|(word, value)| (*word, value.as_deref()));
        replace(&mut octets, &words)?;
        Ok(octets)
    }
}

/// A password that nobody has.
const WRONG: &str = "not the password of anybody";
/// A name that nobody has.
const NOBODY: &str = "nobody.at.all@conformance.invalid";

/// The response of AUTH PLAIN (RFC 4616).
fn plain(identity: &str, name: &str, password: &str) -> String {
    base64(format!("{identity}\0{name}\0{password}").as_bytes())
}

/// RFC 4648 section 4.
fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in octets.chunks(3) {
        let at = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

fn replace(octets: &mut Vec<u8>, words: &[(&str, Option<&str>)]) -> Result<(), String> {
    for (word, value) in words {
        while let Some(place) = find(octets, word.as_bytes()) {
            let value = value.ok_or_else(|| format!("needs a value for {word}"))?;
            octets.splice(place..place + word.len(), value.bytes());
        }
    }
    Ok(())
}

/// The name that the suite gives when it is nobody in particular.
pub(crate) const OUTSIDE: &str = "client.example.net";

/// The fresh numbers are greater than those that stand in cases and vectors.
const FRESH: u64 = 1_000_000;

fn find(octets: &[u8], word: &[u8]) -> Option<usize> {
    octets.windows(word.len()).position(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::{Login, Parameters, Secret, base64};

    #[test]
    fn responses_are_those_of_the_rfcs() {
        // RFC 4648 section 10.
        for (octets, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(octets.as_bytes()), text);
        }
    }

    #[test]
    fn the_password_is_in_nothing_that_is_recorded() {
        let login = Login {
            name: "tim".into(),
            sender: "tim@example.test".into(),
            password: Secret("tanstaaftanstaaf".into()),
        };
        let parameters = Parameters {
            recipient: "ann@example.test".into(),
            unknown: None,
            sender: "ann@example.test".into(),
            login: Some(login),
        };
        let line = b"AUTH PLAIN {plain} {name64}";
        let recorded = parameters.expand(line, "client", 1).expect("all words have values");
        assert_eq!(recorded, b"AUTH PLAIN {plain} dGlt");
        // RFC 4616 section 4.
        let said = parameters.reveal(&recorded).expect("there is a login");
        assert_eq!(said, b"AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm dGlt");
        let shown = serde_json::to_string(&parameters).expect("parameters are JSON");
        assert!(!format!("{parameters:?}{shown}").contains("tanstaaf"), "{parameters:?} {shown}");
    }
}
