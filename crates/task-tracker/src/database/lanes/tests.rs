//! Lanes on a PostgreSQL of their own: what becomes of a statement is nobody else's trouble.

use std::fs;

use clap::Parser;
use rcgen::{CertificateParams, KeyPair};
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgPoolOptions};
use tt_fixture::postgres::Server;

use super::*;
use crate::{
    config::{DatabaseUrl, Settings},
    problem::Problem,
};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

fn lanes_to(url: &str, count: usize) -> Lanes {
    let settings = Arguments::parse_from(["serve"]).settings;
    let url = DatabaseUrl::parse(url).unwrap();
    let pool = || PgPoolOptions::new().connect_lazy_with(url.options().unwrap());
    Lanes::of(count, Arc::new(Login::new(&url, &settings, [pool(), pool()])))
}

fn lanes(count: usize) -> Lanes {
    lanes_to(&Server::shared().url("postgres"), count)
}

impl Lanes {
    async fn ask(
        &self,
        sending: Sending,
        sql: &'static str,
        parameters: &[&dyn Parameter],
    ) -> Result<Vec<Row>, Unanswered> {
        let mut is_first = true;
        loop {
            let errand = self.errand(sending, Instant::now() + Duration::from_mins(1)).await?;
            match errand.run(sending, sql, parameters).await {
                Err(setback) if is_first && setback.is_worth_another => is_first = false,
                answer => return answer.map_err(|setback| Unanswered::Statement(setback.cause)),
            }
        }
    }

    async fn number(&self, sql: &'static str) -> i32 {
        self.ask(Sending::Repeatable, sql, &[]).await.unwrap()[0].get(0)
    }

    async fn until_idle(&self) {
        let end = Instant::now() + Duration::from_secs(30);
        while self.board.under_way() > 0 {
            assert!(Instant::now() < end, "a lane is stuck");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn statements_that_go_out_together_come_back_each_to_its_own() {
    let lanes = lanes(1);
    let asked = (0..40_i32).map(|number| {
        let lanes = &lanes;
        async move {
            let answer = lanes.ask(Sending::Once, "select $1 / ($1 % 5)", &[&number]).await;
            match answer {
                Ok(rows) => assert_eq!(rows[0].get::<_, i32>(0), number / (number % 5)),
                // What one of them fails at is nothing to the others.
                Err(refused) => assert_eq!((refused.code(), number % 5), (Some("22012"), 0)),
            }
        }
    });
    futures_util::future::join_all(asked).await;
    assert_eq!(lanes.level().0, 1);
    assert_eq!(lanes.board.under_way(), 0);
}

/// As when a client hangs up: at whatever point that is, the lane goes on, and the next answer is that of the next question.
#[tokio::test]
async fn whoever_goes_away_half_way_leaves_the_lane_to_the_others() {
    let lanes = lanes(1);
    for polls in 0..12 {
        for sql in [
            "select 1 from pg_sleep(0.002)",
            "select count(*)::int4 from generate_series(1, 50000)",
        ] {
            let mut question = Box::pin(lanes.ask(Sending::Once, sql, &[]));
            for _ in 0..polls {
                if futures_util::poll!(question.as_mut()).is_ready() {
                    break;
                }
                tokio::time::sleep(Duration::from_micros(300)).await;
            }
            drop(question);
            assert_eq!(lanes.number("select 42").await, 42, "after {polls} looks");
        }
    }
    lanes.until_idle().await;
}

/// A place is for others only when PostgreSQL is done with what it was for, so that nobody is put behind a statement that
/// nobody sees.
#[tokio::test]
async fn a_statement_that_nobody_waits_for_any_more_keeps_its_place() {
    let lanes = lanes(2);
    let mut slow = Box::pin(lanes.ask(Sending::Once, "select 1 from pg_sleep(0.3)", &[]));
    assert!(timeout(Duration::from_millis(150), slow.as_mut()).await.is_err());
    drop(slow);
    assert_eq!(lanes.board.under_way(), 1);
    assert_eq!(lanes.number("select 42").await, 42);
    assert_eq!(lanes.level().0, 2, "the other lane was taken");
    lanes.until_idle().await;
}

#[tokio::test]
async fn a_statement_that_postgresql_forgot_or_sees_otherwise_is_prepared_anew() {
    let lanes = lanes(1);
    lanes
        .ask(Sending::Once, "create temporary table beds (id int4)", &[])
        .await
        .unwrap();
    lanes
        .ask(Sending::Once, "insert into beds values (7)", &[])
        .await
        .unwrap();
    let beds = "select * from beds";
    assert_eq!(lanes.number(beds).await, 7);
    lanes
        .ask(
            Sending::Once,
            "alter table beds add column name text default 'south'",
            &[],
        )
        .await
        .unwrap();
    let rows = lanes.ask(Sending::Once, beds, &[]).await.unwrap();
    assert_eq!(rows[0].get::<_, &str>(1), "south");
    lanes.ask(Sending::Once, "deallocate all", &[]).await.unwrap();
    assert_eq!(lanes.number(beds).await, 7);
}

#[tokio::test]
async fn a_broken_connection_is_made_anew_and_what_changes_nothing_is_asked_again() {
    let lanes = lanes(1);
    let process = lanes.number("select pg_backend_pid()").await;
    let slow = lanes.ask(Sending::Repeatable, "select 5 from pg_sleep(0.3)", &[]);
    let change = lanes.ask(Sending::Once, "select 6 from pg_sleep(0.3)", &[]);
    let end = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let other = self::lanes(1);
        other
            .ask(Sending::Once, "select pg_terminate_backend($1)", &[&process])
            .await
            .unwrap();
    };
    let (slow, change, ()) = tokio::join!(slow, change, end);
    // PostgreSQL says to the one it was at that it was ended; nobody knows whether the other was begun.
    assert_eq!(slow.unwrap()[0].get::<_, i32>(0), 5);
    let refused = change.as_ref().err().map(Problem::of_statement);
    assert!(matches!(refused, Some(Problem::DatabaseUnavailable)), "{change:?}");
    assert_ne!(lanes.number("select pg_backend_pid()").await, process);
}

#[tokio::test]
async fn a_new_connection_takes_the_place_of_an_old_one_while_the_lane_is_in_use() {
    let lanes = lanes(1);
    let process = lanes.number("select pg_backend_pid()").await;
    lanes.look_after(Duration::from_secs(30)).await;
    assert_eq!(lanes.number("select pg_backend_pid()").await, process);
    let under_way = lanes.ask(Sending::Once, "select pg_backend_pid() from pg_sleep(0.2)", &[]);
    let renewal = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        lanes.login.has_changed();
        lanes.look_after(Duration::from_secs(30)).await;
    };
    let (under_way, ()) = tokio::join!(under_way, renewal);
    assert_eq!(under_way.unwrap()[0].get::<_, i32>(0), process);
    assert_ne!(lanes.number("select pg_backend_pid()").await, process);
}

#[tokio::test]
async fn sessions_are_as_those_of_the_pool() {
    let lanes = lanes(1);
    let rows = lanes
        .ask(
            Sending::Repeatable,
            "select current_setting(name) from unnest($1::text[]) with ordinality as wanted (name, place) order by place",
            &[&vec![
                "application_name",
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
                "TimeZone",
            ]],
        )
        .await
        .unwrap();
    let settings: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    let release = concat!("task-tracker ", env!("CARGO_PKG_VERSION"));
    assert_eq!(settings, [release, "5s", "2s", "5s", "UTC"]);
}

#[tokio::test]
async fn nothing_is_sent_once_they_are_closed() {
    let lanes = lanes(1);
    lanes.number("select 1").await;
    lanes.close();
    let refused = lanes.ask(Sending::Once, "select 1", &[]).await;
    assert!(matches!(refused, Err(Unanswered::Closed)));
    assert_eq!(lanes.level(), (0, 0));
}

/// In a way that only the server's own user can read.
async fn encrypt(server: &Server, certificate: &str, key: &str) {
    let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
    let folder: String = sqlx::query_scalar("select current_setting('data_directory')")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    for (name, text) in [
        ("server.crt", certificate),
        ("server.key", key),
        ("pg_hba.conf", "local all all trust\nhost all all samenet trust"),
    ] {
        let copy = format!(
            "copy (select unnest(string_to_array('{text}', E'\\n'))) to program 'umask 077; cat > {folder}/{name}'"
        );
        sqlx::raw_sql(AssertSqlSafe(copy))
            .execute(&mut connection)
            .await
            .unwrap();
    }
    for change in ["alter system set ssl = on", "select pg_reload_conf()"] {
        sqlx::raw_sql(change).execute(&mut connection).await.unwrap();
    }
}

/// Two of the addresses that a machine has for itself.
fn own_addresses() -> [String; 2] {
    let [.., a, b, c, _] = uuid::Uuid::new_v4().into_bytes();
    [1, 2].map(|last| format!("127.{a}.{b}.{}", c / 4 * 4 + last))
}

#[tokio::test]
async fn a_server_is_believed_by_its_certificate_as_the_url_says() {
    let [named, unnamed] = own_addresses();
    let server = Server::start(&[&format!("listen_addresses={named},{unnamed}")]);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([named.clone()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let stranger = CertificateParams::new([named.clone()]).unwrap();
    let stranger = stranger.self_signed(&KeyPair::generate().unwrap()).unwrap();
    encrypt(&server, &certificate.pem(), &key.serialize_pem()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: String| {
        fs::write(folder.path().join(name), pem).unwrap();
        folder.path().join(name).display().to_string()
    };
    let believed = format!("sslrootcert={}", file("believed.pem", certificate.pem()));
    let other = format!("sslrootcert={}", file("other.pem", stranger.pem()));
    for (address, mode, authority, expected) in [
        (&named, "disable", "", Some(false)),
        (&named, "require", "", Some(true)),
        (&named, "verify-ca", &*believed, Some(true)),
        (&named, "verify-ca", &other, None),
        (&unnamed, "verify-ca", &believed, Some(true)),
        (&named, "verify-full", &believed, Some(true)),
        (&named, "verify-full", &other, None),
        (&unnamed, "verify-full", &believed, None),
    ] {
        let url = format!("postgres://postgres@{address}/postgres?sslmode={mode}&{authority}");
        let lanes = lanes_to(&url, 1);
        let asked = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
        let is_encrypted = lanes.ask(Sending::Repeatable, asked, &[]).await;
        let is_encrypted = is_encrypted.map(|rows| rows[0].get::<_, bool>(0));
        match expected {
            Some(expected) => assert_eq!(is_encrypted.unwrap(), expected, "{url}"),
            None => assert!(
                matches!(is_encrypted, Err(Unanswered::Connect(_))),
                "{url}: {is_encrypted:?}"
            ),
        }
    }
}
