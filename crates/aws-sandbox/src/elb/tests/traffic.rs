//! What clients see of routing, headers, streams and upgrades.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

#[tokio::test]
async fn weights_apply_to_the_next_request_and_weight_0_gets_none() {
    let stage = Stage::new().await;
    let (blue, green) = (Program::start("blue").await, Program::start("green").await);
    let (a, b) = (stage.group("a"), stage.group("b"));
    let rule = stage.listen(&[(a.clone(), 1), (b.clone(), 0)]).await;
    stage.serve(&a, &blue).await;
    stage.serve(&b, &green).await;
    for _ in 0..3 {
        for (weights, name) in [((1, 0), "blue"), ((0, 1), "green")] {
            stage
                .elb
                .set_forward(&rule, &[(a.clone(), weights.0), (b.clone(), weights.1)])
                .unwrap();
            for _ in 0..50 {
                assert_eq!(stage.get("/").await, got(200, name));
            }
        }
    }
    assert_eq!(stage.elb.forward(&rule).unwrap(), [(a.clone(), 0), (b.clone(), 1)]);
    assert_eq!(stage.metric("RequestCount", None), (300.0, 300.0), "every request once");
    assert_eq!(stage.metric("RequestCount", Some(&a)), (150.0, 150.0));
    assert_eq!(stage.metric("HTTPCode_Target_2XX_Count", Some(&b)), (150.0, 150.0));
    assert!((stage.metric("TargetResponseTime", Some(&b)).0 - 150.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_targets_own_errors_pass_and_are_counted_as_its_own() {
    let stage = Stage::new().await;
    let program = Program::start("blue").await;
    let group = stage.group("a");
    stage.listen(&[(group.clone(), 1)]).await;
    stage.serve(&group, &program).await;
    assert_eq!(stage.get("/fail").await, got(500, "blue"));
    assert_eq!(stage.get("/missing").await, got(404, "blue"));
    assert_eq!(stage.metric("HTTPCode_Target_5XX_Count", Some(&group)), (1.0, 1.0));
    assert_eq!(stage.metric("HTTPCode_Target_4XX_Count", None), (1.0, 1.0));
    assert_eq!(stage.metric("HTTPCode_ELB_5XX_Count", None), (0.0, 0.0));
}

#[tokio::test]
async fn a_target_learns_who_asked_and_its_answer_is_not_touched() {
    let stage = Stage::new().await;
    let program = Program::start("blue").await;
    let group = stage.group("a");
    stage.listen(&[(group.clone(), 1)]).await;
    stage.serve(&group, &program).await;
    let headers = stage.get("/headers").await.body;
    for expected in [
        format!("host: {}:{PORT}", stage.ip),
        String::from("x-forwarded-for: 127.0.0.1"),
        format!("x-forwarded-port: {PORT}"),
        String::from("x-forwarded-proto: http"),
        String::from("x-amzn-trace-id: Root=1-"),
    ] {
        assert!(headers.contains(&expected), "{expected} in\n{headers}");
    }
    let response = stage
        .send(stage.request(Method::GET, "/").body(Full::default()).unwrap())
        .await;
    let mut names: Vec<_> = response.headers().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "date"], "as the program wrote them");
}

#[tokio::test]
async fn bodies_pass_in_both_directions() {
    let stage = Stage::new().await;
    let program = Program::start("blue").await;
    let group = stage.group("a");
    stage.listen(&[(group.clone(), 1)]).await;
    stage.serve(&group, &program).await;
    assert_eq!(stage.call(Method::POST, "/echo", "short").await, got(200, "short"));
    let long = "x".repeat(300_000);
    let request = stage
        .request(Method::PUT, "/echo")
        .body(Full::from(long.clone()))
        .unwrap();
    let echoed = stage
        .send(request)
        .await
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes();
    assert_eq!(echoed.len(), long.len());
    let head = stage
        .send(stage.request(Method::HEAD, "/").body(Full::default()).unwrap())
        .await;
    assert_eq!(head.status(), 200);
}

#[tokio::test]
async fn a_stream_arrives_while_it_is_being_written() {
    let stage = Stage::new().await;
    let program = Program::start("blue").await;
    let group = stage.group("a");
    stage.listen(&[(group.clone(), 1)]).await;
    stage.serve(&group, &program).await;
    let response = stage
        .send(stage.request(Method::GET, "/stream").body(Full::default()).unwrap())
        .await;
    let mut body = response.into_body();
    let first = tokio::time::timeout(DEADLINE, body.frame())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(first.into_data().unwrap(), "one");
    program.state.go_on.notify_one();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "two");
}

#[tokio::test]
async fn an_upgraded_connection_is_a_pipe() {
    let stage = Stage::new().await;
    let program = Program::start("blue").await;
    let group = stage.group("a");
    stage.listen(&[(group.clone(), 1)]).await;
    stage.serve(&group, &program).await;
    let mut stream = TcpStream::connect((stage.ip, PORT)).await.unwrap();
    stream
        .write_all(b"GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        .await
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    stream.write_all(b"there and back").await.unwrap();
    let mut back = [0; 14];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"there and back");
}

#[tokio::test]
async fn rules_come_before_the_default_and_listeners_come_back_after_a_restart() {
    let stage = Stage::new().await;
    let (blue, green) = (Program::start("blue").await, Program::start("green").await);
    let (a, b) = (stage.group("a"), stage.group("b"));
    let listener = stage
        .elb
        .create_listener(&stage.balancer, PORT, &[(a.clone(), 1)])
        .await
        .unwrap();
    stage
        .elb
        .change(|model| {
            let new = vec![condition::Condition::PathPattern(vec![String::from("/new/*")])];
            model.create_rule(&listener, 1, new, Action::forward(&[(b.clone(), 1)]), Tags::new())
        })
        .unwrap();
    stage.serve(&a, &blue).await;
    stage.serve(&b, &green).await;
    assert_eq!(
        (stage.get("/x").await.body, stage.get("/new/x").await.body),
        (String::from("blue"), String::from("green"))
    );

    let Stage {
        elb,
        metrics,
        folder,
        ip,
        client,
        balancer,
    } = stage;
    StateDir::open(folder.path()).unwrap();
    elb.model.flush().unwrap();
    drop(elb);
    let elb = open(&folder, ip, &metrics);
    // The old socket closes with its accept loop, which ends as soon as it is polled again.
    let since = Instant::now();
    while let Err(error) = elb.start().await {
        assert!(since.elapsed() < DEADLINE, "{error}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let stage = Stage {
        elb,
        metrics,
        folder,
        ip,
        client: Client::builder(TokioExecutor::new()).build_http(),
        balancer,
    };
    drop(client);
    assert_eq!(
        (stage.get("/x").await.body, stage.get("/new/x").await.body),
        (String::from("blue"), String::from("green"))
    );
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let stage = Stage::new().await;
    let group = stage.group("a");
    let _other = tokio::net::TcpListener::bind((stage.ip, PORT)).await.unwrap();
    let error = stage
        .elb
        .create_listener(&stage.balancer, PORT, &[(group, 1)])
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("could not listen on {}:{PORT}", stage.ip)),
        "{error}"
    );
}
