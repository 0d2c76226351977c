//! TLS in the midst of a connection.

use super::*;

#[test]
fn both_ends_start_tls_in_the_midst_of_a_connection() {
    run(async {
        let both = credentials(&["rg1-a", "rg1-b"]);
        let mut one = Stage::new(Some(both[0].clone())).await;
        let mut other = Stage::new(Some(both[1].clone())).await;
        let address = one.addresses[&Port::Smtp].to_string();
        let target = Target { address, name: "rg1-a".into(), is_tls: false, is_outside: false };
        let token = other.network.tokens.take(Kind::Connect);
        let _cancel = other.network.open(ConnectionId(2), target, token);
        let ToHost::Accepted { handle: server, member: None, .. } = one.input().await else {
            panic!("accepted")
        };
        let ToHost::Opened { handle: client, .. } = other.input().await else { panic!("opened") };
        other.say(&client, line("STARTTLS"));
        other.receive(&client, Mode::Line(100));
        one.receive(&server, Mode::Line(100));
        assert_eq!(one.said().await, line("STARTTLS"));
        one.say(&server, line("220 go"));
        one.say(&server, Wire::StartTls);
        assert_eq!(other.said().await, line("220 go"));
        other.say(&client, Wire::StartTls);
        assert_eq!(other.said().await, Wire::Secured(Some("rg1-a".into())));
        assert_eq!(one.said().await, Wire::Secured(Some("rg1-b".into())));
        other.say(&client, line("EHLO"));
        one.receive(&server, Mode::Line(100));
        assert_eq!(one.said().await, line("EHLO"));
    });
}

// SM-017: what came before the 220 is dropped; the handshake is behind it.
#[test]
fn a_client_that_begins_before_the_order_to_start_tls_is_here_is_heard() {
    run(async {
        let both = credentials(&["rg1-a", "rg1-b"]);
        let mut stage = Stage::new(Some(both[0].clone())).await;
        let (mut client, handle, _) = stage.accept("127.0.0.1").await;
        stage.receive(&handle, Mode::Line(100));
        client.write_all(b"STARTTLS\r\nNOOP\r\n").await.unwrap();
        assert_eq!(stage.said().await, line("STARTTLS"));
        stage.say(&handle, line("220 go"));
        let mut reply = [0; 8];
        client.read_exact(&mut reply).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(both[1].identity().unwrap().client);
        let connecting = connector.connect("rg1-a".try_into().unwrap(), client);
        let begun = async {
            while stage.network.registry.snapshot()[0].received < 100 {
                tokio::task::yield_now().await;
            }
            stage.say(&handle, Wire::StartTls);
            assert_eq!(stage.said().await, Wire::Secured(Some("rg1-b".into())));
            stage.receive(&handle, Mode::Line(100));
        };
        let (client, ()) = tokio::join!(connecting, begun);
        client.unwrap().write_all(b"EHLO\r\n").await.unwrap();
        assert_eq!(stage.said().await, line("EHLO"), "and not the NOOP");
    });
}
