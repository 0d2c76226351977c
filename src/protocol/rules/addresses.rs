//! The addresses in a header field, as far as a rule has to know them.

use alloc::string::String;
use alloc::vec::Vec;

/// The bare addresses of an address list: display names, comments and angle brackets left out. What is
/// no address comes out as it stands, so that a rule can be about it.
pub(super) fn addresses(list: &str) -> Vec<String> {
    split(list).iter().map(|mailbox| bare(mailbox)).filter(|bare| !bare.is_empty()).collect()
}

/// The mailboxes of a list, without comments: a comma separates them outside quotes and brackets.
fn split(list: &str) -> Vec<String> {
    let mut mailboxes = alloc::vec![String::new()];
    let (mut quoted, mut escaped, mut angle, mut depth) = (false, false, false, 0_u32);
    for c in list.chars() {
        let plain = !quoted && !escaped;
        if plain && c == '(' {
            depth += 1;
        } else if plain && depth > 0 {
            depth -= u32::from(c == ')');
        } else if plain && !angle && matches!(c, ',' | ';' | ':') {
            // A group's name ends like a mailbox, and is none.
            if c == ':' {
                mailboxes.pop();
            }
            mailboxes.push(String::new());
        } else {
            quoted ^= c == '"' && !escaped;
            angle = if plain && matches!(c, '<' | '>') { c == '<' } else { angle };
            let last = mailboxes.len() - 1;
            mailboxes[last].push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    mailboxes
}

/// What stands in angle brackets, or all of it.
fn bare(mailbox: &str) -> String {
    let inner = mailbox
        .rsplit_once('<')
        .map_or(mailbox, |(_, rest)| rest.split_once('>').map_or(rest, |(address, _)| address));
    String::from(inner.trim())
}
