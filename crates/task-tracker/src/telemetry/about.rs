//! Which request a log line was written for.
//!
//! That travels with the task that answers it, and becomes words only in lines that are written: most requests have none,
//! and a span, whose fields are formatted at its beginning, cost each of them more than to be counted and timed.

use std::{fmt, future::Future};

use axum::{
    extract::MatchedPath,
    http::{HeaderValue, Method},
};
use serde::Serialize;
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Writer},
    },
    registry::LookupSpan,
};

tokio::task_local! {
    static REQUEST: About;
}

/// What lines say of it.
pub(super) struct About {
    pub(super) id: HeaderValue,
    pub(super) method: Method,
    pub(super) route: Option<MatchedPath>,
    pub(super) trace: Option<String>,
}

/// As a line of JSON has it.
#[derive(Serialize)]
struct Member<'a> {
    id: &'a str,
    method: &'a str,
    route: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'a str>,
}

/// The route that requests are told apart by.
pub(super) fn known(route: Option<&MatchedPath>) -> &str {
    route.map_or("<unmatched>", MatchedPath::as_str)
}

/// Does this for that request.
pub(super) fn of<T>(about: About, work: impl Future<Output = T>) -> impl Future<Output = T> {
    REQUEST.scope(about, work)
}

/// Lines as `tracing_subscriber` writes them, and at their end the request.
pub(crate) enum Line<T> {
    /// For people: ` request{id=… method=… route=…}`.
    Text(Format<T>),
    /// As a member `request` of the object.
    Json(Format<T>),
}

impl<S, N, T> FormatEvent<S, N> for Line<T>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
    Format<T>: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let (Self::Text(format) | Self::Json(format)) = self;
        let mut line = String::new();
        format.format_event(context, Writer::new(&mut line), event)?;
        let told = REQUEST.try_with(|about| match self {
            Self::Text(_) => in_words(&line, about),
            Self::Json(_) => in_json(&line, about),
        });
        writer.write_str(told.ok().flatten().as_deref().unwrap_or(&line))
    }
}

fn in_words(line: &str, about: &About) -> Option<String> {
    let About {
        id,
        method,
        route,
        trace,
    } = about;
    let (id, route) = (id.to_str().ok()?, known(route.as_ref()));
    let trace = trace
        .as_deref()
        .map(|trace| format!(" trace={trace}"))
        .unwrap_or_default();
    let line = line.trim_end_matches('\n');
    Some(format!(
        "{line} request{{id={id} method={method} route={route}{trace}}}\n"
    ))
}

fn in_json(line: &str, about: &About) -> Option<String> {
    let members = line.trim_end_matches('\n').strip_suffix('}')?;
    let about = serde_json::to_string(&Member {
        id: about.id.to_str().ok()?,
        method: about.method.as_str(),
        route: known(about.route.as_ref()),
        trace: about.trace.as_deref(),
    });
    let about = about.ok()?;
    Some(format!("{members},\"request\":{about}}}\n"))
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Log {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// Two lines: of a request, and of none.
    fn written(lines: impl Subscriber + Send + Sync, log: &Log) -> Vec<String> {
        let about = About {
            id: HeaderValue::from_static("a-\"1"),
            method: Method::GET,
            route: None,
            trace: Some("4bf9".to_owned()),
        };
        tracing::subscriber::with_default(lines, || {
            REQUEST.sync_scope(about, || tracing::info!(status = 500, "answered"));
            tracing::info!("serving");
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_for_people_ends_in_its_request() {
        let log = Log::default();
        let lines = tracing_subscriber::fmt().with_writer(log.clone()).compact();
        let lines = lines.map_event_format(|lines| Line::Text(lines.with_ansi(false)));
        let written = written(lines.finish(), &log);
        let end = "answered status=500 request{id=a-\"1 method=GET route=<unmatched> trace=4bf9}";
        assert!(written[0].ends_with(end), "{}", written[0]);
        assert!(written[1].ends_with("serving"), "{}", written[1]);
    }

    #[test]
    fn a_line_for_programs_has_its_request_as_a_member() {
        let log = Log::default();
        let lines = tracing_subscriber::fmt()
            .with_writer(log.clone())
            .json()
            .flatten_event(true);
        let written = written(lines.map_event_format(Line::Json).finish(), &log);
        let [told, untold] = [0, 1].map(|line| serde_json::from_str::<serde_json::Value>(&written[line]).unwrap());
        let request = serde_json::json!({ "id": "a-\"1", "method": "GET", "route": "<unmatched>", "trace": "4bf9" });
        assert_eq!((&told["request"], &told["status"]), (&request, &serde_json::json!(500)));
        assert_eq!(untold.get("request"), None);
    }
}
