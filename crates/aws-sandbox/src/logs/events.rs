//! Reading and writing the lines of streams.

use serde::Deserialize;
use serde_json::{Value as Json, json};
use time::OffsetDateTime;

use super::api::{Named, known_stream, known_streams, limit, numbered_page, with_token};
use super::pattern::Pattern;
use super::stream::Event;
use super::{Logs, milliseconds};
use crate::front::call::Call;
use crate::wire::json::{self, JsonError};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutLogEvents {
    #[serde(flatten)]
    named: Named,
    log_events: Vec<InputEvent>,
}

#[derive(Deserialize)]
struct InputEvent {
    timestamp: i64,
    message: String,
}

pub(super) fn put_events(logs: &Logs, call: &Call) -> Result<Json, JsonError> {
    let input: PutLogEvents = json::input(call)?;
    let about = known_stream(logs, call, &input.named)?;
    if !input.log_events.is_sorted_by_key(|event| event.timestamp) {
        let message = "Log events in a single PutLogEvents request must be in chronological order.";
        return Err(JsonError::client("InvalidParameterException", message));
    }
    let ingested = milliseconds(OffsetDateTime::now_utc());
    logs.with(&about.file, |stream| {
        for event in input.log_events {
            stream.push(Event {
                at: event.timestamp,
                ingested,
                text: event.message,
            });
        }
    });
    Ok(json!({ "nextSequenceToken": uuid::Uuid::new_v4().to_string() }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetLogEvents {
    #[serde(flatten)]
    named: Named,
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<usize>,
    start_from_head: Option<bool>,
}

/// Tokens are `f/` and the number of the next event, or `b/` and the number before which to look; one that leads nowhere is answered again, which tells a client to stop.
pub(super) fn get_events(logs: &Logs, call: &Call) -> Result<Json, JsonError> {
    let input: GetLogEvents = json::input(call)?;
    let about = known_stream(logs, call, &input.named)?;
    let limit = limit(input.limit, 10_000);
    let place = |token: &str| token.get(2..).and_then(|number| number.parse::<u64>().ok());
    let (from, before) = match input.next_token.as_deref() {
        Some(token) if token.starts_with("f/") => (place(token), None),
        Some(token) if token.starts_with("b/") => (None, place(token)),
        Some(_) => {
            return Err(JsonError::client(
                "InvalidParameterException",
                "The specified nextToken is invalid.",
            ));
        }
        None => (None, None),
    };
    logs.with(&about.file, |stream| {
        let mut found: Vec<(u64, &Event)> = stream
            .events()
            .filter(|(number, event)| {
                from.is_none_or(|from| *number >= from)
                    && before.is_none_or(|before| *number < before)
                    && within(event, input.start_time, input.end_time)
            })
            .collect();
        // A client that names neither a place nor an end gets the newest.
        if from.is_some() || (before.is_none() && input.start_from_head == Some(true)) {
            found.truncate(limit);
        } else {
            found.drain(..found.len().saturating_sub(limit));
        }
        let end = stream.events().next_back().map_or(0, |(number, _)| number + 1);
        let forward = found.last().map_or(from.unwrap_or(end), |(number, _)| number + 1);
        let backward = found.first().map_or(before.unwrap_or(0), |(number, _)| *number);
        let events: Vec<Json> = found
            .iter()
            .map(|(_, event)| json!({ "timestamp": event.at, "ingestionTime": event.ingested, "message": event.text }))
            .collect();
        Ok(json!({ "events": events, "nextForwardToken": format!("f/{forward}"), "nextBackwardToken": format!("b/{backward}") }))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterLogEvents {
    #[serde(flatten)]
    named: Named,
    #[serde(default)]
    log_stream_names: Vec<String>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<usize>,
}

pub(super) fn filter_events(logs: &Logs, call: &Call) -> Result<Json, JsonError> {
    let input: FilterLogEvents = json::input(call)?;
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default())?;
    let mut found: Vec<(i64, Json)> = Vec::new();
    for (name, about) in known_streams(logs, call, input.named.group()?)? {
        let wanted = (input.log_stream_names.is_empty() || input.log_stream_names.contains(&name))
            && input
                .log_stream_name_prefix
                .as_ref()
                .is_none_or(|prefix| name.starts_with(prefix.as_str()));
        if !wanted {
            continue;
        }
        logs.with(&about.file, |stream| {
            for (number, event) in stream.events() {
                if within(event, input.start_time, input.end_time) && pattern.matches(&event.text) {
                    let output = json!({
                        "logStreamName": name,
                        "timestamp": event.at,
                        "ingestionTime": event.ingested,
                        "message": event.text,
                        "eventId": format!("{}-{number}", about.file),
                    });
                    found.push((event.at, output));
                }
            }
        });
    }
    found.sort_by_key(|(at, _)| *at);
    let (page, next) = numbered_page(found, input.next_token.as_deref(), limit(input.limit, 10_000))?;
    let page: Vec<Json> = page.into_iter().map(|(_, event)| event).collect();
    Ok(with_token(json!({ "events": page, "searchedLogStreams": [] }), next))
}

/// The end is exclusive.
fn within(event: &Event, start: Option<i64>, end: Option<i64>) -> bool {
    start.is_none_or(|start| event.at >= start) && end.is_none_or(|end| event.at < end)
}
