//! The bodies of the fuzz targets. They live here so that an ordinary test replays the corpus: what the
//! fuzzer once found stays found. Each takes any octets, and panics only where the code is wrong.

use alloc::vec::Vec;

use super::framer::BLOCK_LIMIT;
use super::smtp::Command;
use super::smtp::auth::{AUTH_LINE_LIMIT, Auth, Login, Name, Response, Secret, public_part};
use super::{DecodeError, Framer, Mode, Unit, group, link2state, orginfo, submit};

/// The most octets that a target looks at.
const INPUT_LIMIT: usize = 64 * 1024;
const LINE_LIMIT: usize = super::smtp::COMMAND_LINE_LIMIT;
const BODY_LIMIT: u64 = 16 * 1024;

/// What a framer gave, with the pieces of a body put together.
type Units = Vec<Result<Unit, DecodeError>>;

/// Counted frames of the group port, in one piece and octet by octet.
pub fn counted_frames(input: &[u8]) {
    let input = &input[..input.len().min(INPUT_LIMIT)];
    let whole = run(input, Mode::Frame(INPUT_LIMIT), input.len().max(1), frame_follows);
    let single = run(input, Mode::Frame(INPUT_LIMIT), 1, frame_follows);
    assert_eq!(whole, single, "how octets are split changes nothing");
    for unit in whole.into_iter().flatten() {
        let Unit::Frame(content) = unit else { panic!("only frames were asked for") };
        if let Ok(frame) = group::Frame::decode(&content) {
            let encoded = frame.encode().expect("what was read fits the limit");
            assert_eq!(encoded, content, "a frame has one form");
        }
    }
}

fn frame_follows(unit: &Unit) -> Mode {
    assert!(matches!(unit, Unit::Frame(_)), "only frames were asked for");
    Mode::Frame(INPUT_LIMIT)
}

/// An SMTP session: the first octet says how the rest is split, the commands say how it is read.
pub fn smtp_session(input: &[u8]) {
    let input = &input[..input.len().min(INPUT_LIMIT)];
    let Some((split, input)) = input.split_first() else { return };
    let split = usize::from(*split).max(1);
    let chosen = run(input, Mode::Line(LINE_LIMIT), split, smtp_follows);
    let single = run(input, Mode::Line(LINE_LIMIT), 1, smtp_follows);
    assert_eq!(chosen, single, "how octets are split changes nothing");
    for unit in chosen.iter().flatten() {
        match unit {
            Unit::Line(line) => command(line),
            Unit::Secret(line) => response(line),
            _ => {}
        }
    }
}

/// What is read was one command; what is written is read as the same.
fn command(line: &[u8]) {
    match Command::decode(line) {
        Ok(command) => {
            let is_auth = matches!(command, Command::Auth(_));
            assert_eq!(public_part(line).is_some(), is_auth, "AUTH is hidden, and nothing else is");
            if let Command::Auth(Auth { initial: Some(initial), .. }) = &command {
                login(initial);
            }
            let encoded = command.encode();
            assert!(!encoded.contains(&b'\n'), "a command is one line");
            assert_eq!(Command::decode(&encoded), Ok(command), "a command is read as written");
        }
        Err(error) => assert!(error.reply().code() >= 500, "a bad line is refused for good"),
    }
}

/// What is behind an AUTH is an answer to a challenge, of either mechanism.
fn response(line: &Secret) {
    let Ok(Response::Given(given)) = Response::decode(line) else { return };
    login(&given);
}

fn login(given: &Secret) {
    if let Ok(login) = Login::plain(given) {
        assert!(!login.name.as_str().is_empty(), "nobody is nobody");
        assert!(!login.password.expose().contains(&0), "a password ends at NUL");
    }
    if let Ok(name) = Name::decode(given) {
        assert_eq!(name.as_str().as_bytes(), given.expose(), "a name is what was given");
    }
}

fn smtp_follows(unit: &Unit) -> Mode {
    let Unit::Line(line) = unit else { return Mode::Line(LINE_LIMIT) };
    match Command::decode(line) {
        Ok(Command::Data) => Mode::Mail(BODY_LIMIT),
        Ok(Command::Auth(_)) => Mode::Secret(AUTH_LINE_LIMIT),
        Ok(Command::Bdat { octets, last: false }) => Mode::Octets(octets),
        // Stands for the body of an offer, whose length another command tells.
        Ok(Command::Bdat { octets, last: true }) => Mode::Text(octets),
        Ok(Command::Submit(submit::Command::Offer { envelope_octets, .. }))
            if envelope_octets as usize <= BLOCK_LIMIT =>
        {
            Mode::Block(envelope_octets as usize)
        }
        _ => Mode::Line(LINE_LIMIT),
    }
}

/// Chunks of X-LINK2STATE, one on each line, and the messages that they make.
pub fn link2state(input: &[u8]) {
    let input = &input[..input.len().min(INPUT_LIMIT)];
    let mut reassembly = link2state::Reassembly::default();
    for line in input.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(chunk) = link2state::Chunk::decode(line) else { continue };
        assert_eq!(link2state::Chunk::decode(chunk.encode().as_bytes()), Ok(chunk.clone()));
        let was_inside = reassembly.is_inside();
        match reassembly.take(&chunk) {
            Ok(Some(message)) => whole_message(&message),
            Ok(None) => assert!(reassembly.is_inside(), "a message goes on"),
            Err(_) => assert!(!reassembly.is_inside(), "nothing is kept behind an error"),
        }
        assert!(was_inside || chunk.mark == link2state::Mark::First || !reassembly.is_inside());
    }
}

fn whole_message(message: &str) {
    assert_eq!(
        link2state::message_of_reply(&link2state::message_reply(message)).as_deref(),
        Ok(message)
    );
    if let Ok(elements) = orginfo::decode_message(message) {
        let encoded = orginfo::encode_message(&elements).expect("what was read fits the limit");
        assert!(encoded.eq_ignore_ascii_case(message), "only the digits of a count have two forms");
        assert_eq!(orginfo::decode_message(&encoded), Ok(elements));
    }
}

/// Runs a framer over `input`, pushed `split` octets at a time.
fn run(input: &[u8], first: Mode, split: usize, follows: fn(&Unit) -> Mode) -> Units {
    let mut framer = Framer::new(first);
    let mut units = Units::new();
    let mut mode = first;
    for piece in input.chunks(split) {
        framer.push(piece);
        loop {
            match framer.next_unit() {
                Ok(None) => break,
                Ok(Some(Unit::Body(piece))) => add_to_body(&mut units, piece),
                Ok(Some(unit)) => {
                    mode = follows(&unit);
                    units.push(Ok(unit));
                    framer.read_as(mode);
                }
                Err(error) => {
                    units.push(Err(error));
                    mode =
                        if matches!(mode, Mode::Frame(_)) { mode } else { Mode::Line(LINE_LIMIT) };
                    framer.read_as(mode);
                }
            }
        }
    }
    units
}

fn add_to_body(units: &mut Units, piece: Vec<u8>) {
    assert!(!piece.is_empty(), "a piece of a body has octets");
    match units.last_mut() {
        Some(Ok(Unit::Body(body))) => body.extend_from_slice(&piece),
        _ => units.push(Ok(Unit::Body(piece))),
    }
}
