//! The passwords of accounts: kept as hashes, and checked with the same work whoever asks.

use alloc::format;
use alloc::string::String;
use core::fmt;

use argon2::password_hash::phc;
use argon2::{ARGON2ID_IDENT, Argon2, Params, PasswordHasher as _, PasswordVerifier as _};
use serde::{Deserialize, Serialize};

use super::{Account, AccountStatus, Organization};
use crate::clause;
use crate::wire::message::Address;
use crate::wire::smtp::auth::Login;

/// The most memory that a check of a password may take, in KiB.
pub const PASSWORD_MEMORY_LIMIT_KIB: u32 = 256 * 1024;
/// The most passes over that memory.
pub const PASSWORD_PASSES_LIMIT: u32 = 16;
/// The most lanes.
pub const PASSWORD_LANES_LIMIT: u32 = 16;
/// The octets of the salt of a new hash.
pub const SALT_OCTETS: usize = 16;

const EXPECTED: &str = "expected the line that `bridgehead password` prints, `$argon2id$...`";
/// What stands in for the hash of an account that does not exist.
const NO_SALT: [u8; SALT_OCTETS] = *b"nobody has this.";

/// What is kept of a password: a PHC string of Argon2id. It can be guessed at, so that no log shows it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for PasswordHash {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl PasswordHash {
    /// The hash of `password`, with a salt that is drawn anew each time, at the default cost.
    #[must_use]
    pub fn new(password: &[u8], salt: [u8; SALT_OCTETS]) -> Self {
        let hash = Argon2::default().hash_password_with_salt(password, &salt);
        Self(format!("{}", hash.expect("the salt and the default cost are within their limits")))
    }

    /// What is wrong with it, with what was expected.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        clause!(SV_070);
        let parsed = match self.parse() {
            Ok(parsed) => parsed,
            // The text is not repeated: it may be the password itself.
            Err(problem) => return Some(format!("{problem}, {EXPECTED}")),
        };
        let (_, params) = parsed;
        let limits = [
            ("m", params.m_cost(), PASSWORD_MEMORY_LIMIT_KIB),
            ("t", params.t_cost(), PASSWORD_PASSES_LIMIT),
            ("p", params.p_cost(), PASSWORD_LANES_LIMIT),
        ];
        let (name, cost, limit) = limits.into_iter().find(|(_, cost, limit)| cost > limit)?;
        Some(format!("has the cost {name}={cost}, expected at most {limit}"))
    }

    fn parse(&self) -> Result<(phc::PasswordHash, Params), &'static str> {
        let hash = phc::PasswordHash::new(&self.0).map_err(|_| "is no PHC string")?;
        if hash.algorithm != ARGON2ID_IDENT {
            return Err("is no hash by Argon2id");
        }
        if hash.salt.is_none() || hash.hash.is_none() {
            return Err("has no salt or no hash");
        }
        let params = Params::try_from(&hash).map_err(|_| "has a cost that Argon2 does not know")?;
        Ok((hash, params))
    }

    /// Whether it is the hash of `password`.
    fn fits(&self, password: &[u8]) -> bool {
        let Ok((hash, params)) = self.parse() else { return false };
        Argon2::from(params).verify_password(password, &hash).is_ok()
    }

    /// As much work as [`Self::fits`], for nothing.
    fn work_in_vain(&self, password: &[u8]) {
        let params = self.parse().map_or_else(|_| Params::default(), |(_, params)| params);
        let _ = Argon2::from(params).hash_password_with_salt(password, &NO_SALT);
    }
}

/// What came of a login.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is this account.
    Granted(Address),
    /// It is not let in.
    Denied {
        /// The account that it is about, where there is one.
        account: Option<Address>,
    },
    /// Nobody can say now.
    Unavailable,
    /// It is this account, which is suspended.
    Suspended(Address),
}

impl Organization {
    /// Whether a login is good. An account that does not exist, or that has no password, costs as much
    /// work as a wrong password for the first account of the file that has one.
    #[must_use]
    pub fn verify(&self, login: &Login) -> Verdict {
        clause!(SM_106);
        let find = |name: &str| self.account(&Address::from(name));
        let password = login.password.expose();
        let account = find(login.name.as_str());
        let is_right = match account.and_then(|account| account.password.as_ref()) {
            Some(hash) => hash.fits(password),
            None => {
                let mut hashes = self.accounts.iter().filter_map(|a| a.password.as_ref());
                let none = PasswordHash(String::new());
                hashes.next().unwrap_or(&none).work_in_vain(password);
                false
            }
        };
        // Nobody acts for another account.
        let is_itself = login.authorization.as_ref().is_none_or(|name| {
            let other = find(name.as_str());
            other.map(|other| &other.address) == account.map(|account| &account.address)
        });
        match account {
            Some(Account { address, status: AccountStatus::Suspended, .. })
                if is_right && is_itself =>
            {
                clause!(SM_132);
                Verdict::Suspended(address.clone())
            }
            Some(Account { address, .. }) if is_right && is_itself => {
                Verdict::Granted(address.clone())
            }
            account => Verdict::Denied { account: account.map(|account| account.address.clone()) },
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    /// Made by the reference implementation of Argon2, at the least cost.
    const MADE_ELSEWHERE: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$\
                                  0EkU+8WAdY1DOdRlxPbP+CtsDygG8FMCgxNeYn/iCuI";

    // SM-106
    #[test]
    fn a_hash_that_was_made_elsewhere_fits_its_password_only() {
        let hash = PasswordHash::from(MADE_ELSEWHERE);
        assert_eq!(hash.problem(), None);
        assert!(hash.fits("pässwörd".as_bytes()));
        for wrong in ["passwörd", "pässwörd ", "PÄSSWÖRD", ""] {
            assert!(!hash.fits(wrong.as_bytes()), "{wrong}");
        }
        assert!(!alloc::format!("{hash:?}").contains("argon2id"), "no log shows a hash");
    }

    // SV-070, SV-074
    #[test]
    fn a_hash_that_is_made_here_can_be_used() {
        let hash = PasswordHash::new(b"secret", [7; SALT_OCTETS]);
        assert!(hash.to_string().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(hash.problem(), None);
        assert!(hash.fits(b"secret") && !hash.fits(b"Secret"));
        assert_ne!(hash, PasswordHash::new(b"secret", [8; SALT_OCTETS]), "each salt has its own");
    }

    // SV-070
    #[test]
    fn what_is_no_hash_is_refused_and_not_repeated() {
        let costs = |costs: &str| MADE_ELSEWHERE.replace("m=8,t=1,p=1", costs);
        for (text, clue) in [
            ("open sesame".to_string(), "is no PHC string"),
            (String::new(), "is no PHC string"),
            (MADE_ELSEWHERE.replace("argon2id", "argon2i"), "is no hash by Argon2id"),
            ("$2b$12$abcdefghijklmnopqrstuv".to_string(), "is no"),
            ("$argon2id$v=19$m=8,t=1,p=1".to_string(), "has no salt or no hash"),
            ("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA".to_string(), "has no salt or"),
            (costs("m=4,t=1,p=1"), "has a cost that Argon2 does not know"),
            (costs("m=262145,t=1,p=1"), "has the cost m=262145, expected at most 262144"),
            (costs("m=8,t=17,p=1"), "has the cost t=17, expected at most 16"),
            (costs("m=136,t=1,p=17"), "has the cost p=17, expected at most 16"),
        ] {
            let problem = PasswordHash(text.clone()).problem().expect("it is refused");
            assert!(problem.contains(clue), "{text}: {problem}");
            assert!(text.is_empty() || !problem.contains(&text), "{problem}");
        }
        assert_eq!(
            PasswordHash(costs("m=128,t=16,p=16")).problem(),
            None,
            "the limits are allowed"
        );
    }
}
