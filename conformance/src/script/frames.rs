//! Counted frames, as the suite reads and writes them.

use crate::net::{Got, Wire};

/// The longest counted frame that the suite reads.
const FRAME_LIMIT: usize = 4 * 1024 * 1024;

/// Stands, as long as a digest, for the one that the node named last on the connection.
pub(crate) const THEIRS: &str = "================the-digest-that-the-node-named-last=============";

/// Reads a counted frame: `{8 hexadecimal digits}` and that many octets.
pub(crate) fn parse_frame(octets: &[u8]) -> Result<Option<(Vec<u8>, usize)>, String> {
    const HEAD: usize = 10;
    let head = &octets[..octets.len().min(HEAD)];
    let right = |(place, octet): (usize, &u8)| match place {
        0 => *octet == b'{',
        9 => *octet == b'}',
        _ => octet.is_ascii_hexdigit(),
    };
    if !head.iter().enumerate().all(right) {
        let shown = String::from_utf8_lossy(head).into_owned();
        return Err(format!("expected `{{8 hexadecimal digits}}`, got `{shown}`"));
    }
    if head.len() < HEAD {
        return Ok(None);
    }
    let digits = String::from_utf8_lossy(&head[1..9]).into_owned();
    let count = usize::from_str_radix(&digits, 16).map_err(|error| error.to_string())?;
    if count > FRAME_LIMIT {
        return Err(format!("a frame of {count} octets"));
    }
    let content = octets.get(HEAD..HEAD + count);
    Ok(content.map(|content| (content.to_vec(), HEAD + count)))
}

/// Waits for a counted frame.
pub(crate) fn read_frame(wire: &Wire) -> Got<Vec<u8>> {
    wire.wait(parse_frame)
}

/// Writes a counted frame.
pub(crate) fn frame(content: &str) -> String {
    format!("{{{:08x}}}{content}", content.len())
}

/// With the digest that the node named in the place of [`THEIRS`].
pub(super) fn with_digest(octets: Vec<u8>, named: Option<&str>) -> Vec<u8> {
    let place = octets.windows(THEIRS.len()).position(|window| window == THEIRS.as_bytes());
    let (Some(place), Some(named)) = (place, named) else { return octets };
    let mut octets = octets;
    octets.splice(place..place + THEIRS.len(), named.bytes());
    octets
}
