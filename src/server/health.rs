//! Whether a member lives, and whether it takes mail: for those who start, watch and balance servers, by HTTP.
//!
//! One question a connection, nothing that could be changed, and nothing about anybody's mail. Whoever may
//! ask is decided by the address on which it listens.

use core::convert::Infallible;
use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::clock::within_real_time;
use super::runtime::Observer;
use crate::clause;

/// The connections that are served at once; whoever comes beyond them waits.
pub const CONNECTIONS_LIMIT: usize = 32;
/// How long a connection may take, from its first octet to the last of its answer.
pub const CONNECTION_LIMIT: Duration = Duration::from_secs(5);
/// The octets that the head of a request may have.
pub const HEAD_LIMIT_OCTETS: usize = 8_192;
/// How long the machine may take to answer.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// How long accepting rests when the system has no file left.
const REST: Duration = Duration::from_millis(100);

/// Binds the port, and says where that is.
///
/// # Errors
/// The address cannot be had.
pub fn bind(address: SocketAddr) -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves requests for as long as the runtime lives.
///
/// # Errors
/// The runtime cannot take the listener.
pub fn serve(listener: std::net::TcpListener, observer: Observer) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(CONNECTIONS_LIMIT));
    tokio::spawn(async move {
        loop {
            clause!(SV_106);
            let place = Arc::clone(&places).acquire_owned().await;
            let place = place.expect("nobody closes the semaphore");
            let Ok((stream, _)) = listener.accept().await else {
                // No file is left for it now; there will be.
                let _ = within_real_time(REST, core::future::pending::<()>()).await;
                continue;
            };
            let observer = observer.clone();
            tokio::spawn(async move {
                // Whoever is too slow, or goes away, needs no answer.
                let _ = within_real_time(CONNECTION_LIMIT, answer_one(stream, observer)).await;
                drop(place);
            });
        }
    });
    Ok(())
}

async fn answer_one(stream: TcpStream, observer: Observer) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let observer = observer.clone();
        async move {
            Ok::<_, Infallible>(answer(request.method(), request.uri().path(), &observer).await)
        }
    });
    let mut connection = http1::Builder::new();
    connection.keep_alive(false).max_buf_size(HEAD_LIMIT_OCTETS);
    connection.serve_connection(TokioIo::new(stream), service).await
}

async fn answer(method: &Method, path: &str, observer: &Observer) -> Response<Full<Bytes>> {
    clause!(SV_104);
    let is_known = matches!(path, "/health" | "/ready");
    if !is_known {
        return response(StatusCode::NOT_FOUND, &json!({"error": "expected /health or /ready"}));
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        let error = json!({"error": "expected GET or HEAD"});
        let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, &error);
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    let report = within_real_time(ANSWER_LIMIT, observer.health()).await.flatten();
    let Some(report) = report else {
        let problem = json!({"ready": false, "reasons": ["no_answer"]});
        return response(StatusCode::SERVICE_UNAVAILABLE, &problem);
    };
    let is_well = path == "/health" || report["ready"] == true;
    let status = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    response(status, &report)
}

fn response(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{body}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
