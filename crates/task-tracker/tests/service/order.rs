//! The order of a board under many hands, on the real database: whatever is moved wherever by whomever, no card is lost or doubled,
//! no two have one place, and places stay short.

use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    api::Api,
    instance::{Instance, start},
};

const CARDS: usize = 8;
const COLUMNS: [&str; 3] = ["open", "in_progress", "done"];
/// Far above what a few moves need, and far below what an index would refuse.
const SHORT: usize = 48;

/// What one person does: cards and places by number, as many as there are.
#[derive(Debug, Clone)]
enum Act {
    Move {
        card: usize,
        beside: Option<(Side, usize)>,
        column: Option<usize>,
    },
    MoveSeveral {
        cards: Vec<usize>,
        beside: Option<(Side, usize)>,
    },
    Recolumn {
        card: usize,
        column: usize,
    },
    Add,
}

#[derive(Debug, Clone, Copy)]
enum Side {
    After,
    Before,
}

fn act() -> impl Strategy<Value = Act> {
    let card = 0..CARDS;
    let side = prop_oneof![Just(Side::After), Just(Side::Before)];
    let beside = prop::option::weighted(0.8, (side, 0..CARDS));
    let column = 0..COLUMNS.len();
    prop_oneof![
        6 => (card.clone(), beside.clone(), prop::option::of(column.clone()))
            .prop_map(|(card, beside, column)| Act::Move { card, beside, column }),
        2 => (prop::collection::hash_set(card.clone(), 1..4), beside)
            .prop_map(|(cards, beside)| Act::MoveSeveral { cards: cards.into_iter().collect(), beside }),
        1 => (card, column).prop_map(|(card, column)| Act::Recolumn { card, column }),
        1 => Just(Act::Add),
    ]
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::After => "after",
            Self::Before => "before",
        }
    }
}

/// Does it, and says which cards it made. Next to itself no card can stand.
async fn do_it(api: &Api, project: &str, cards: &[String], act: &Act) -> Option<String> {
    let place = |beside: &Option<(Side, usize)>| match beside {
        Some((side, card)) => json!({ side.name(): cards[*card] }),
        None => json!({}),
    };
    let tasks = format!("/api/v1/projects/{project}/tasks");
    match act {
        Act::Move { card, beside, column } => {
            let mut wanted = place(beside);
            if let Some(column) = column {
                wanted["status"] = json!(COLUMNS[*column]);
            }
            let is_itself = beside.is_some_and(|(_, beside)| beside == *card);
            let status = api.move_to(&cards[*card], &wanted).await.status;
            assert_eq!(status, if is_itself { 422 } else { 200 }, "{act:?}");
        }
        Act::MoveSeveral { cards: moving, beside } => {
            let named: Vec<Value> = moving.iter().map(|card| json!({ "id": cards[*card] })).collect();
            let is_itself = beside.is_some_and(|(_, beside)| moving.contains(&beside));
            let wanted = json!({ "tasks": named, "move": place(beside) });
            let status = api.post(&format!("{tasks}/bulk"), wanted).await.status;
            assert_eq!(status, if is_itself { 422 } else { 200 }, "{act:?}");
        }
        Act::Recolumn { card, column } => {
            let path = format!("/api/v1/tasks/{}", cards[*card]);
            api.patch(&path, "*", json!({ "status": COLUMNS[*column] }))
                .await
                .expect(200);
        }
        Act::Add => return Some(api.task(project, "more").await),
    }
    None
}

/// Every card of this project, in the order of the board.
async fn board(api: &Api, project: &str) -> Vec<Value> {
    api.every(&format!("/api/v1/projects/{project}/tasks?sort=rank&limit=5"))
        .await
}

async fn assert_sound(api: &Api, project: &str, mut cards: Vec<String>) {
    let all = board(api, project).await;
    let text = |card: &Value, name: &str| card[name].as_str().unwrap().to_owned();
    let ranks: Vec<String> = all.iter().map(|card| text(card, "rank")).collect();
    assert!(
        ranks.windows(2).all(|pair| pair[0] < pair[1]),
        "two cards have one place: {ranks:?}"
    );
    assert!(ranks.iter().all(|rank| rank.len() <= SHORT), "{ranks:?}");
    let mut found: Vec<String> = all.iter().map(|card| text(card, "id")).collect();
    found.sort_unstable();
    cards.sort_unstable();
    assert_eq!(found, cards);
    let mut by_column = Vec::new();
    for column in COLUMNS {
        let path = format!("/api/v1/projects/{project}/tasks?sort=rank&limit=5&status={column}");
        by_column.extend(api.every(&path).await.iter().map(|card| text(card, "id")));
    }
    by_column.sort_unstable();
    assert_eq!(by_column, cards);
}

/// Several people at once, each doing one thing after another.
async fn play(service: &Instance, people: Vec<Vec<Act>>) {
    let project = service.api.project().await;
    let mut cards = Vec::new();
    for number in 0..CARDS {
        cards.push(service.api.task(&project, &format!("{number}")).await);
    }
    let mut playing = JoinSet::new();
    for acts in people {
        let (api, project, cards) = (service.api.clone(), project.clone(), cards.clone());
        playing.spawn(async move {
            let mut made = Vec::new();
            for act in &acts {
                made.extend(do_it(&api, &project, &cards, act).await);
            }
            made
        });
    }
    cards.extend(playing.join_all().await.into_iter().flatten());
    assert_sound(&service.api, &project, cards).await;
}

#[test]
fn a_board_under_many_hands_loses_and_doubles_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let service = runtime.block_on(start(""));
    let people = prop::collection::vec(prop::collection::vec(act(), 1..12), 2..6);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&people, |people| {
        runtime.block_on(play(&service, people));
        Ok(())
    });
    outcome.unwrap();
}

async fn longest(connection: &mut PgConnection, project: &str) -> usize {
    let longest: i32 = sqlx::query_scalar("select max(length(rank)) from tasks where project_id = $1")
        .bind(project.parse::<Uuid>().unwrap())
        .fetch_one(connection)
        .await
        .unwrap();
    usize::try_from(longest).unwrap()
}

/// Always to the top, always behind the same card, always behind the one before: what people do with a board for years.
#[tokio::test]
async fn places_stay_short_however_often_something_is_put_into_one_gap() {
    const MOVES: usize = 1000;
    let service = start("").await;
    let mut connection = service.database.connect().await;
    let project = service.api.project().await;
    let mut cards = Vec::new();
    for number in 0..6 {
        cards.push(service.api.task(&project, &format!("{number}")).await);
    }
    let put = async |card: usize, place: &Value| {
        service.api.move_to(&cards[card], place).await.expect(200);
    };
    let first = async || {
        board(&service.api, &project).await[0]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let count = cards.len();
    for turn in 0..MOVES {
        let before = (turn + count - 1) % count;
        put(turn % count, &json!({ "before": cards[before] })).await;
    }
    assert_eq!(first().await, cards[(MOVES - 1) % count]);
    assert!(longest(&mut connection, &project).await <= SHORT);
    for turn in 0..MOVES {
        put(1 + turn % (count - 1), &json!({ "after": cards[0] })).await;
    }
    assert!(longest(&mut connection, &project).await <= SHORT);
    for turn in 0..MOVES {
        let before = (turn + count - 1) % count;
        put(
            turn % count,
            &json!({ "after": cards[before], "status": COLUMNS[turn % 3] }),
        )
        .await;
    }
    assert!(longest(&mut connection, &project).await <= SHORT);
    assert_sound(&service.api, &project, cards.clone()).await;

    // Whoever follows along is told of every rank that there is now.
    let told: i64 = sqlx::query_scalar(
        "select count(*) from tasks where project_id = $1 and rank = (
            select after ->> 'rank' from events where target_id = tasks.id and after ? 'rank' order by id desc limit 1)",
    )
    .bind(project.parse::<Uuid>().unwrap())
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(usize::try_from(told).unwrap(), count);
    let by_itself: i64 =
        sqlx::query_scalar("select count(*) from events where actor_id is null and action = 'task.moved'")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert!(by_itself > 0, "room was made");
}
