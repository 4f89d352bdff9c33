//! The load balancer with real sockets: programs on loopback addresses of their own, clients that count what fails.

mod broken;
mod health;
mod load;
mod program;
mod traffic;

use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::*;
use crate::cloudwatch::SeriesKey;
use program::Program;

const REGION: &str = "eu-central-1";
const PORT: u16 = 8080;
const DEADLINE: Duration = Duration::from_mins(1);

/// A load balancer on an address that no other test of this machine has.
struct Stage {
    elb: Arc<Elb>,
    metrics: Arc<Metrics>,
    folder: tempfile::TempDir,
    ip: Ipv4Addr,
    balancer: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What a client got.
#[derive(Debug, PartialEq, Eq)]
struct Got {
    status: StatusCode,
    body: String,
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let metrics = Arc::new(Metrics::default());
        let ip = own_address();
        let elb = open(&folder, ip, &metrics);
        elb.start().await.unwrap();
        let balancer = elb.create_load_balancer(REGION, "front").await.unwrap();
        Self {
            elb,
            metrics,
            folder,
            ip,
            balancer,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    fn group(&self, name: &str) -> String {
        let spec = TargetGroupSpec {
            name: name.to_owned(),
            port: PORT,
            health_check: HealthCheck {
                path: String::from("/readyz"),
                interval: Duration::from_millis(10),
                timeout: Duration::from_secs(10),
                healthy_threshold: NonZeroU32::new(2).unwrap(),
                unhealthy_threshold: NonZeroU32::new(2).unwrap(),
                ..HealthCheck::default()
            },
            deregistration_delay: Duration::from_millis(20),
        };
        self.elb.create_target_group(REGION, spec).unwrap()
    }

    /// Opens the port and gives the default rule.
    async fn listen(&self, forward: &[(String, u32)]) -> String {
        let listener = self.elb.create_listener(&self.balancer, PORT, forward).await.unwrap();
        self.elb.default_rule(&listener).unwrap()
    }

    /// Registers a program and waits for its health.
    async fn serve(&self, group: &str, program: &Program) {
        self.elb.register(group, program.target()).unwrap();
        self.until_state(group, program.target(), TargetState::Healthy).await;
    }

    async fn until_state(&self, group: &str, target: Target, wanted: TargetState) {
        let state = || {
            self.elb
                .health(group)
                .into_iter()
                .find(|(known, _)| *known == target)
                .map(|(_, state)| state)
        };
        until(|| state() == Some(wanted)).await;
    }

    async fn until_gone(&self, group: &str, target: Target) {
        until(|| self.elb.health(group).iter().all(|(known, _)| *known != target)).await;
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("http://{}:{PORT}{path}", self.ip))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        tokio::time::timeout(DEADLINE, self.client.request(request))
            .await
            .unwrap()
            .unwrap()
    }

    async fn get(&self, path: &str) -> Got {
        self.call(Method::GET, path, "").await
    }

    async fn call(&self, method: Method, path: &str, body: &'static str) -> Got {
        let request = self.request(method, path).body(Full::from(body)).unwrap();
        let response = self.send(request).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Got {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// What CloudWatch has counted so far under this name, over all time. `group` narrows it to one target group.
    fn metric(&self, name: &str, group: Option<&str>) -> (f64, f64) {
        let mut dimensions = vec![(
            String::from("LoadBalancer"),
            arn::load_balancer_dimension(&self.balancer),
        )];
        dimensions.extend(group.map(|group| (String::from("TargetGroup"), arn::target_group_dimension(group))));
        let key = SeriesKey::new(REGION, "AWS/ApplicationELB", name, dimensions);
        let points = self
            .metrics
            .points(&key, None, 0, crate::clock::now().unix_timestamp() + 60, 60);
        points.iter().fold((0.0, 0.0), |(count, sum), point| {
            (count + point.samples.count, sum + point.samples.sum)
        })
    }
}

fn open(folder: &tempfile::TempDir, ip: Ipv4Addr, metrics: &Arc<Metrics>) -> Arc<Elb> {
    let dir = StateDir::open(folder.path()).unwrap();
    Elb::open(&dir, "000000000000", ip, Arc::clone(metrics)).unwrap()
}

/// 127.a.b.c where a and b come from this process and c from the test, outside of what sandboxes use by default.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 128 + high % 64, low, NEXT.fetch_add(1, Ordering::Relaxed))
}

async fn until(mut reached: impl FnMut() -> bool) {
    let since = Instant::now();
    while !reached() {
        assert!(since.elapsed() < DEADLINE, "not reached in {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn got(status: u16, body: &str) -> Got {
    Got {
        status: StatusCode::from_u16(status).unwrap(),
        body: body.to_owned(),
    }
}
