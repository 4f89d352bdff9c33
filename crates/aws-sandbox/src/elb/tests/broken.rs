//! Targets that refuse, close or vanish, and what of it a client may see.

use std::net::{SocketAddr, SocketAddrV4};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::*;

#[tokio::test]
async fn without_targets_503_and_with_a_refusing_one_502() {
    let stage = Stage::new().await;
    let group = stage.group("a");
    let rule = stage.listen(&[(group.clone(), 1)]).await;
    assert_eq!(stage.get("/").await.status, 503);
    assert_eq!(stage.metric("RequestCount", None), (0.0, 0.0), "no target was chosen");
    let program = Program::start("gone").await;
    stage.serve(&group, &program).await;
    let target = program.target();
    drop(program);
    until(|| std::net::TcpStream::connect(target.address()).is_err()).await;
    assert_eq!(stage.get("/").await.status, 502);
    assert_eq!(stage.metric("HTTPCode_ELB_5XX_Count", None), (2.0, 2.0));
    assert_eq!(stage.metric("HTTPCode_ELB_502_Count", None), (1.0, 1.0));
    stage.elb.set_forward(&rule, &[(group, 0)]).unwrap();
    assert_eq!(stage.get("/").await.status, 503, "no weight at all");
}

#[tokio::test]
async fn a_silent_target_is_504_after_the_idle_timeout() {
    let stage = Stage::new().await;
    let (group, program) = (stage.group("a"), Program::start("slow").await);
    stage.listen(&[(group.clone(), 1)]).await;
    stage.serve(&group, &program).await;
    let one_second = (String::from(model::IDLE_TIMEOUT), String::from("1"));
    stage.elb.change(|model| {
        model
            .load_balancers
            .get_mut(&stage.balancer)
            .unwrap()
            .attributes
            .extend([one_second]);
    });
    assert_eq!(stage.get("/hold").await.status, 504);
    assert_eq!(stage.metric("HTTPCode_ELB_504_Count", None), (1.0, 1.0));
    assert_eq!(stage.metric("RequestCount", Some(&group)), (1.0, 1.0));
}

#[tokio::test]
async fn a_target_may_close_after_every_answer() {
    let stage = Stage::new().await;
    let program = Program::start("blue").await;
    let group = stage.group("a");
    stage.listen(&[(group.clone(), 1)]).await;
    stage.serve(&group, &program).await;
    for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
        for _ in 0..10 {
            assert_eq!(stage.call(method.clone(), "/close", "").await, got(200, "blue"));
        }
    }
    let response = stage
        .send(stage.request(Method::GET, "/close").body(Full::default()).unwrap())
        .await;
    assert!(
        !response.headers().contains_key(http::header::CONNECTION),
        "that was between target and load balancer"
    );
}

#[tokio::test]
async fn a_stale_connection_is_invisible_to_repeatable_requests() {
    let stage = Stage::new().await;
    let group = stage.group("a");
    stage.listen(&[(group.clone(), 1)]).await;
    let (target, _running) = forgetful().await;
    stage.elb.register(&group, target).unwrap();
    stage.until_state(&group, target, TargetState::Healthy).await;
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::GET] {
        assert_eq!(stage.call(method, "/", "body").await, got(200, "ok"));
    }
}

#[tokio::test]
async fn a_request_that_must_not_be_repeated_is_not() {
    let stage = Stage::new().await;
    let group = stage.group("a");
    stage.listen(&[(group.clone(), 1)]).await;
    let (target, _running) = forgetful().await;
    stage.elb.register(&group, target).unwrap();
    stage.until_state(&group, target, TargetState::Healthy).await;
    // The first leaves a kept connection behind, over which the second is read and never answered.
    assert_eq!(stage.call(Method::GET, "/", "").await.status, 200);
    until(|| stage.elb.pool.has_idle(target.address())).await;
    assert_eq!(stage.call(Method::POST, "/", "body").await.status, 502);
}

/// Answers the first request of every connection, keeps it open, reads a second one and closes without a word.
async fn forgetful() -> (Target, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let SocketAddr::V4(address) = listener.local_addr().unwrap() else {
        unreachable!("bound to IPv4")
    };
    let running = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(answer_once(stream));
        }
    });
    (target(address), AbortOnDropHandle::new(running))
}

async fn answer_once(mut stream: TcpStream) {
    if read_request(&mut stream).await.is_none() {
        return;
    }
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    if stream.write_all(answer).await.is_ok() {
        read_request(&mut stream).await;
    }
}

/// Reads head and body; nothing when the other side closes instead.
async fn read_request(stream: &mut TcpStream) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    Some(())
}

fn target(address: SocketAddrV4) -> Target {
    Target {
        ip: *address.ip(),
        port: address.port(),
    }
}
