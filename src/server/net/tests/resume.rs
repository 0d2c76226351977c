//! Bodies that break off and go on, over real sockets.

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Stage, run};
use crate::kernel::LinkChange;
use crate::protocol::server::{Coding, PartialName, Wire};
use crate::server::tokens::Kind;
use crate::wire::Mode;
use crate::wire::ids::{Incarnation, MemberName, TransferId};

/// What is kept of a body, by its name.
fn partial(sent: &[u8]) -> PartialName {
    let member = MemberName::from("rg1-b");
    let transfer = TransferId { member: member.clone(), incarnation: Incarnation(1), sequence: 1 };
    let digest = crate::wire::message::Digest(Sha256::digest(sent).into());
    PartialName { member, transfer, digest, octets: sent.len() as u64 }
}

fn text(length: usize) -> Vec<u8> {
    (0..length)
        .map(|place| {
            if place % 20 == 18 {
                b'\r'
            } else if place % 20 == 19 {
                b'\n'
            } else {
                b'a' + (place % 7) as u8
            }
        })
        .collect()
}

impl Stage {
    /// A client sends the rest of a body, or `count` octets of it, and goes; how much was kept before.
    async fn send_part(&mut self, sent: &[u8], count: usize) -> (u64, Option<Wire>) {
        let (client, handle, _) = self.accept("127.0.0.9").await;
        self.say(&handle, Wire::Resume(partial(sent)));
        let Wire::Kept(kept) = self.said().await else { panic!("how much is kept") };
        self.receive(&handle, Mode::Text(sent.len() as u64 - kept));
        let rest = sent[usize::try_from(kept).unwrap()..].to_vec();
        let writer = tokio::spawn(async move {
            let (_reading, mut writing) = client.into_split();
            writing.write_all(&rest[..count.min(rest.len())]).await.unwrap();
            writing.shutdown().await.unwrap();
        });
        let said = self.said().await;
        if said == Wire::End {
            assert_eq!(self.gone().await, LinkChange::Closed);
        }
        handle.close(self.network.tokens.take(Kind::Write));
        writer.await.unwrap();
        self.network.registry.all_closed().await;
        (kept, (said != Wire::End).then_some(said))
    }
}

/// SU-061, SU-062: small parts in memory and large ones in files, cut anywhere, also within a CRLF.
#[test]
fn a_body_that_breaks_off_goes_on() {
    run(async {
        let mut stage = Stage::new(None).await;
        for (length, cuts) in [(1_000, [19, 20, 500]), (900_000, [100_000, 299_999, 400_000])] {
            let sent = text(length);
            let mut before = 0;
            for cut in cuts {
                let (kept, said) = stage.send_part(&sent, cut).await;
                assert_eq!((kept, said), (before, None));
                let here = usize::try_from(before).unwrap() + cut;
                // A CR waits for its LF.
                before = (here - usize::from(sent[here - 1] == b'\r')) as u64;
            }
            let (kept, said) = stage.send_part(&sent, length).await;
            assert_eq!(kept, before);
            let Some(Wire::Body(body)) = said else { panic!("{said:?}") };
            assert_eq!(body.digest, partial(&sent).digest);
            assert_eq!(stage.network.spool.read(&body).unwrap().read_all().unwrap(), sent);
            let (kept, _) = stage.send_part(&sent, 0).await;
            assert_eq!(kept, 0, "what is complete is no part any more");
        }
    });
}

/// SU-064: a text with a bare LF is not gone on with: behind it nobody would see the bare LF.
#[test]
fn an_unfit_part_is_not_kept() {
    run(async {
        let mut stage = Stage::new(None).await;
        let mut sent = text(1_000);
        sent[5] = b'\n';
        assert_eq!(stage.send_part(&sent, 500).await, (0, None));
        assert_eq!(stage.send_part(&sent, 500).await, (0, None));
        let files = stage.network.spool.files().lengths().unwrap();
        assert!(files.is_empty(), "no file is left: {files:?}");
    });
}

/// SU-063: of a body that goes on, the octets from the offset on are sent.
#[test]
fn a_body_is_sent_from_an_offset_on() {
    run(async {
        let mut stage = Stage::new(None).await;
        for length in [1_000_usize, 700_000] {
            let sent = text(length);
            let (_, said) = stage.send_part(&sent, length).await;
            let Some(Wire::Body(body)) = said else { panic!("{said:?}") };
            for from in [1, 32 * 1024, 32 * 1024 + 1, length - 1, length] {
                let from = from.min(length);
                let (client, handle, _) = stage.accept("127.0.0.9").await;
                let (mut reading, _writing) = client.into_split();
                let (prefix, coding) = (b"head".to_vec(), Coding::Octets);
                stage.say(&handle, Wire::Content { prefix, body, coding, from: from as u64 });
                handle.close(stage.network.tokens.take(Kind::Write));
                let mut answer = Vec::new();
                reading.read_to_end(&mut answer).await.unwrap();
                assert!(answer == [b"head", &sent[from..]].concat(), "{length} from {from}");
            }
        }
    });
}
