//! The operations of CloudWatch Logs over the JSON protocol (Amazon CloudWatch Logs API Reference).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::events::{filter_events, get_events, put_events};
use super::{Group, Logs, StreamAbout};
use crate::front::call::{Call, Reply};
use crate::wire::json::{self, JsonError};

pub(crate) fn answer(logs: &Logs, call: &Call) -> Result<Reply, JsonError> {
    let output = match call.operation.as_str() {
        "CreateLogGroup" => create_group(logs, call)?,
        "DeleteLogGroup" => delete_group(logs, call)?,
        "DescribeLogGroups" => describe_groups(logs, call)?,
        "PutRetentionPolicy" => put_retention(logs, call)?,
        "CreateLogStream" => create_stream(logs, call)?,
        "DeleteLogStream" => delete_stream(logs, call)?,
        "DescribeLogStreams" => describe_streams(logs, call)?,
        "PutLogEvents" => put_events(logs, call)?,
        "GetLogEvents" => get_events(logs, call)?,
        "FilterLogEvents" => filter_events(logs, call)?,
        _ => return Err(JsonError::unknown_operation(call)),
    };
    Ok(json::answer(call, &output))
}

/// Names of a group and, for most operations, a stream in it.
#[derive(Deserialize)]
pub(super) struct Named {
    #[serde(rename = "logGroupName")]
    group: Option<String>,
    /// A name or an ARN.
    #[serde(rename = "logGroupIdentifier")]
    group_identifier: Option<String>,
    #[serde(default, rename = "logStreamName")]
    stream: String,
}

impl Named {
    pub(super) fn group(&self) -> Result<&str, JsonError> {
        let named = self
            .group
            .as_deref()
            .or(self.group_identifier.as_deref())
            .unwrap_or_default();
        // arn:aws:logs:region:account:log-group:name[:*]
        let name = named
            .split_once(":log-group:")
            .map_or(named, |(_, name)| name.strip_suffix(":*").unwrap_or(name));
        checked(name, "log group")
    }

    fn stream(&self) -> Result<&str, JsonError> {
        checked(&self.stream, "log stream")
    }
}

fn checked<'a>(name: &'a str, what: &str) -> Result<&'a str, JsonError> {
    if (1..=512).contains(&name.len()) && !name.contains([':', '*']) {
        return Ok(name);
    }
    let message = format!("The {what} name must have 1 to 512 characters, without colon and asterisk.");
    Err(JsonError::client("InvalidParameterException", message))
}

fn create_group(logs: &Logs, call: &Call) -> Result<Json, JsonError> {
    let input: Named = json::input(call)?;
    let name = input.group()?.to_owned();
    logs.groups.write(|regions| {
        let region = regions.entry(call.region.clone()).or_default();
        if region.contains_key(&name) {
            return Err(exists("The specified log group already exists"));
        }
        region.insert(name, Group::new());
        Ok(json!({}))
    })
}

fn delete_group(logs: &Logs, call: &Call) -> Result<Json, JsonError> {
    let input: Named = json::input(call)?;
    let name = input.group()?;
    let gone = logs
        .groups
        .write(|regions| regions.get_mut(&call.region)?.remove(name))
        .ok_or_else(no_group)?;
    gone.streams.values().for_each(|stream| logs.forget(&stream.file));
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeLogGroups {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    limit: Option<usize>,
    next_token: Option<String>,
}

fn describe_groups(logs: &Logs, call: &Call) -> Result<Json, JsonError> {
    let input: DescribeLogGroups = json::input(call)?;
    logs.groups.read(|regions| {
        let after = input.next_token.as_deref().unwrap_or_default();
        let mut wanted = regions.get(&call.region).into_iter().flatten().filter(|(name, _)| {
            name.as_str() > after
                && input
                    .log_group_name_prefix
                    .as_ref()
                    .is_none_or(|prefix| name.starts_with(prefix.as_str()))
                && input
                    .log_group_name_pattern
                    .as_ref()
                    .is_none_or(|part| name.contains(part.as_str()))
        });
        let page: Vec<_> = wanted.by_ref().take(limit(input.limit, 50)).collect();
        let next = wanted.next().and(page.last()).map(|(name, _)| (*name).clone());
        let groups: Vec<Json> = page
            .iter()
            .map(|(name, group)| described(logs, call, name, group))
            .collect();
        Ok(with_token(json!({ "logGroups": groups }), next))
    })
}

fn described(logs: &Logs, call: &Call, name: &str, group: &Group) -> Json {
    let arn = format!("arn:aws:logs:{}:{}:log-group:{name}", call.region, logs.account);
    let mut output = json!({
        "logGroupName": name,
        "arn": format!("{arn}:*"),
        "logGroupArn": arn,
        "creationTime": group.created,
        "metricFilterCount": 0,
        "storedBytes": 0,
    });
    if let Some(days) = group.retention_days {
        output["retentionInDays"] = days.into();
    }
    output
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutRetentionPolicy {
    #[serde(flatten)]
    named: Named,
    retention_in_days: i64,
}

fn put_retention(logs: &Logs, call: &Call) -> Result<Json, JsonError> {
    let input: PutRetentionPolicy = json::input(call)?;
    let name = input.named.group()?;
    logs.groups.write(|regions| {
        let group = regions
            .get_mut(&call.region)
            .and_then(|region| region.get_mut(name))
            .ok_or_else(no_group)?;
        group.retention_days = Some(input.retention_in_days);
        Ok(json!({}))
    })
}

fn create_stream(logs: &Logs, call: &Call) -> Result<Json, JsonError> {
    let input: Named = json::input(call)?;
    let (group, stream) = (input.group()?, input.stream()?);
    logs.groups.write(|regions| {
        let group = regions
            .get_mut(&call.region)
            .and_then(|region| region.get_mut(group))
            .ok_or_else(no_group)?;
        if group.streams.contains_key(stream) {
            return Err(exists("The specified log stream already exists"));
        }
        group.streams.insert(stream.to_owned(), StreamAbout::new());
        Ok(json!({}))
    })
}

fn delete_stream(logs: &Logs, call: &Call) -> Result<Json, JsonError> {
    let input: Named = json::input(call)?;
    let (group, stream) = (input.group()?, input.stream()?);
    let gone = logs.groups.write(|regions| {
        let group = regions
            .get_mut(&call.region)
            .and_then(|region| region.get_mut(group))
            .ok_or_else(no_group)?;
        group.streams.remove(stream).ok_or_else(no_stream)
    })?;
    logs.forget(&gone.file);
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeLogStreams {
    #[serde(flatten)]
    named: Named,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    descending: Option<bool>,
    limit: Option<usize>,
    next_token: Option<String>,
}

fn describe_streams(logs: &Logs, call: &Call) -> Result<Json, JsonError> {
    let input: DescribeLogStreams = json::input(call)?;
    let group_name = input.named.group()?;
    let mut streams: Vec<(String, Json)> = Vec::new();
    for (name, about) in known_streams(logs, call, group_name)? {
        if input
            .log_stream_name_prefix
            .as_ref()
            .is_some_and(|prefix| !name.starts_with(prefix.as_str()))
        {
            continue;
        }
        let arn = format!(
            "arn:aws:logs:{}:{}:log-group:{group_name}:log-stream:{name}",
            call.region, logs.account
        );
        let mut output = json!({ "logStreamName": name, "creationTime": about.created, "arn": arn, "storedBytes": 0 });
        logs.with(&about.file, |stream| {
            let mut events = stream.events();
            let (first, last) = (events.next(), stream.events().next_back());
            if let (Some((_, first)), Some((_, last))) = (first, last) {
                output["firstEventTimestamp"] = first.at.into();
                output["lastEventTimestamp"] = last.at.into();
                output["lastIngestionTime"] = last.ingested.into();
            }
        });
        streams.push((name, output));
    }
    if input.order_by.as_deref() == Some("LastEventTime") {
        streams.sort_by_key(|(_, stream)| stream["lastEventTimestamp"].as_i64());
    }
    if input.descending == Some(true) {
        streams.reverse();
    }
    let (page, next) = numbered_page(streams, input.next_token.as_deref(), limit(input.limit, 50))?;
    let page: Vec<Json> = page.into_iter().map(|(_, stream)| stream).collect();
    Ok(with_token(json!({ "logStreams": page }), next))
}

pub(super) fn known_streams(logs: &Logs, call: &Call, group: &str) -> Result<BTreeMap<String, StreamAbout>, JsonError> {
    logs.groups
        .read(|regions| Some(regions.get(&call.region)?.get(group)?.streams.clone()))
        .ok_or_else(no_group)
}

pub(super) fn known_stream(logs: &Logs, call: &Call, named: &Named) -> Result<StreamAbout, JsonError> {
    known_streams(logs, call, named.group()?)?
        .remove(named.stream()?)
        .ok_or_else(no_stream)
}

pub(super) fn limit(asked: Option<usize>, most: usize) -> usize {
    asked.unwrap_or(most).clamp(1, most)
}

/// A page whose token is the number of items before it.
pub(super) fn numbered_page<T>(
    items: Vec<T>,
    token: Option<&str>,
    limit: usize,
) -> Result<(Vec<T>, Option<String>), JsonError> {
    let skipped: usize = token
        .map_or(Ok(0), str::parse)
        .map_err(|_| JsonError::client("InvalidParameterException", "The specified nextToken is invalid."))?;
    let next = (items.len() > skipped.saturating_add(limit)).then(|| (skipped + limit).to_string());
    Ok((items.into_iter().skip(skipped).take(limit).collect(), next))
}

pub(super) fn with_token(mut output: Json, next: Option<String>) -> Json {
    if let Some(next) = next {
        output["nextToken"] = next.into();
    }
    output
}

fn no_group() -> JsonError {
    JsonError::client("ResourceNotFoundException", "The specified log group does not exist.")
}

fn no_stream() -> JsonError {
    JsonError::client("ResourceNotFoundException", "The specified log stream does not exist.")
}

fn exists(message: &str) -> JsonError {
    JsonError::client("ResourceAlreadyExistsException", message)
}
