//! Releases in a row under load: targets come, drain and stop, weights flip, and no client notices.

use std::sync::atomic::AtomicUsize;

use super::*;

const CLIENTS: usize = 8;
const RELEASES: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_under_load_lose_no_request() {
    let stage = Arc::new(Stage::new().await);
    let groups = [stage.group("a"), stage.group("b")];
    let rule = stage.listen(&[(groups[0].clone(), 1), (groups[1].clone(), 0)]).await;
    let mut serving = Program::start("release").await;
    stage.serve(&groups[0], &serving).await;
    let done: Arc<[AtomicUsize; CLIENTS]> = Arc::default();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (stage, done) = (Arc::clone(&stage), Arc::clone(&done));
            tokio_util::task::AbortOnDropHandle::new(tokio::spawn(
                async move { ask_forever(&stage, &done[client]).await },
            ))
        })
        .collect();

    for release in 0..RELEASES {
        let (from, to) = (&groups[release % 2], &groups[(release + 1) % 2]);
        let next = Program::start("release").await;
        stage.serve(to, &next).await;
        for weight in [10, 50, 100] {
            stage
                .elb
                .set_forward(&rule, &[(from.clone(), 100 - weight), (to.clone(), weight)])
                .unwrap();
            a_request_of_every_client(&done, &clients).await;
        }
        stage.elb.deregister(from, serving.target()).unwrap();
        stage.until_gone(from, serving.target()).await;
        // What was chosen before is answered when every client has got two answers more; then the old release may stop.
        a_request_of_every_client(&done, &clients).await;
        a_request_of_every_client(&done, &clients).await;
        serving = next;
    }
    drop(clients);
    assert!(serving.requests() > 0);
    assert_eq!(stage.metric("HTTPCode_ELB_5XX_Count", None), (0.0, 0.0));
}

async fn ask_forever(stage: &Stage, done: &AtomicUsize) {
    loop {
        for (method, path, body, expected) in [
            (Method::GET, "/", "", "release"),
            (Method::POST, "/echo", "a write", "a write"),
        ] {
            assert_eq!(stage.call(method, path, body).await, got(200, expected));
            done.fetch_add(1, Ordering::SeqCst);
        }
    }
}

async fn a_request_of_every_client(done: &[AtomicUsize; CLIENTS], clients: &[tokio_util::task::AbortOnDropHandle<()>]) {
    let before: Vec<usize> = done.iter().map(|count| count.load(Ordering::SeqCst)).collect();
    until(|| {
        assert!(
            clients.iter().all(|client| !client.is_finished()),
            "a client saw a failure"
        );
        done.iter()
            .zip(&before)
            .all(|(count, before)| count.load(Ordering::SeqCst) > *before)
    })
    .await;
}
