//! Two tenants, and one of them names what is the other one's: in the path beside what is its own, and in bodies. Nobody stands
//! higher than the owner of a project, so that is who tries.

use sqlx::PgConnection;

use crate::{
    instance::{Instance, start},
    matrix::{EVERYTHING, World, rows, send},
    tenant::{self, Held},
};

/// What names something in its body, besides the rows of the matrix that do: in brackets what is the other tenant's.
const NAMING: &str = r#"
POST /api/v1/projects/{project}/tasks       | {"title":"dig","assignee_ids":["[member]"]}
POST /api/v1/projects/{project}/tasks       | {"title":"dig","label_ids":["[label]"]}
POST /api/v1/projects/{project}/tasks       | {"title":"dig","parent_id":"[task]"}
POST /api/v1/projects/{project}/tasks       | {"title":"dig","id":"[task]"}
PATCH /api/v1/tasks/{task}                  | {"assignee_ids":["[member]"]}
PATCH /api/v1/tasks/{task}                  | {"label_ids":["[label]"]}
PATCH /api/v1/tasks/{task}                  | {"parent_id":"[task]"}
POST /api/v1/tasks/{task}/move              | {"after":"[task]"}
POST /api/v1/tasks/{task}/move              | {"before":"[task]","status":"done"}
POST /api/v1/projects/{project}/tasks/bulk  | {"tasks":[{"id":"{task}"},{"id":"[task]"}],"change":{"status":"done"}}
POST /api/v1/projects/{project}/tasks/bulk  | {"tasks":[{"id":"[task]"}],"delete":{}}
POST /api/v1/projects/{project}/tasks/bulk  | {"tasks":[{"id":"[task]"}],"move":{}}
POST /api/v1/projects/{project}/tasks/bulk  | {"tasks":[{"id":"{task}"}],"move":{"after":"[task]"}}
POST /api/v1/projects/{project}/tasks/bulk  | {"tasks":[{"id":"{task}"}],"change":{"parent_id":"[task]"}}
POST /api/v1/projects/{project}/tasks/bulk  | {"tasks":[{"id":"{task}"}],"change":{"add_assignee_ids":["[member]"]}}
POST /api/v1/projects/{project}/tasks/bulk  | {"tasks":[{"id":"{task}"}],"change":{"add_label_ids":["[label]"]}}
POST /api/v1/notifications/read             | {"up_to":"[notification]"}
"#;

/// Two tenants with everything in them, as they are and as they were.
struct Two {
    ours: World,
    theirs: World,
    before: (Held, Held),
}

impl Two {
    async fn new(service: &Instance, connection: &mut PgConnection) -> Self {
        let ours = World::new(service, connection).await;
        let theirs = World::new(service, connection).await;
        let before = both(connection, &ours, &theirs).await;
        Self { ours, theirs, before }
    }

    /// Refused with one of these, and nothing is changed on either side.
    async fn refuse(
        &self,
        (service, connection): (&Instance, &mut PgConnection),
        (operation, body): (&str, &str),
        statuses: &[u16],
    ) {
        let (operation, body) = (self.fill(operation), self.fill(body));
        let api = service.api.with_session(&self.ours.users[0]);
        let (status, _, answer) = send(&api, &operation, &body).await;
        assert!(
            statuses.contains(&status.as_u16()),
            "{operation} {body}: {status} {answer}"
        );
        assert_eq!(
            both(connection, &self.ours, &self.theirs).await,
            self.before,
            "{operation} {body}"
        );
    }

    /// In braces what is ours, in brackets what is theirs.
    fn fill(&self, text: &str) -> String {
        let mut filled = self.ours.fill(text);
        for name in NAMES {
            filled = filled.replace(&format!("[{name}]"), &self.theirs.fill(&format!("{{{name}}}")));
        }
        filled
    }
}

/// What can be in brackets; a JSON array is left alone.
const NAMES: [&str; 15] = [
    "project",
    "task",
    "invitation",
    "label",
    "comment",
    "attachment",
    "webhook",
    "delivery",
    "filter",
    "reminder",
    "notification",
    "member",
    "session",
    "token",
    "secret",
];

async fn both(connection: &mut PgConnection, ours: &World, theirs: &World) -> (Held, Held) {
    (
        tenant::held(connection, &ours.tenant()).await,
        tenant::held(connection, &theirs.tenant()).await,
    )
}

/// The path with some of its ids the other tenant's: every mixture of the two.
fn mixtures(operation: &str) -> Vec<String> {
    let count = operation.matches('{').count();
    let mixed = 1..(1_usize << count) - 1;
    let mixture = |which: usize| {
        let mut parts = operation.split('{');
        let mut text = parts.next().unwrap().to_owned();
        for (number, part) in parts.enumerate() {
            let (name, rest) = part.split_once('}').unwrap();
            let is_theirs = which >> number & 1 == 1;
            let (open, close) = if is_theirs { ('[', ']') } else { ('{', '}') };
            text.extend([open.to_string().as_str(), name, close.to_string().as_str(), rest]);
        }
        text
    };
    mixed.map(mixture).collect()
}

#[test]
fn a_path_is_mixed_both_ways() {
    let mixed = mixtures("GET /webhooks/{webhook}/deliveries/{delivery}/redelivery");
    assert_eq!(
        mixed,
        [
            "GET /webhooks/[webhook]/deliveries/{delivery}/redelivery",
            "GET /webhooks/{webhook}/deliveries/[delivery]/redelivery"
        ]
    );
    assert_eq!(mixtures("GET /tasks/{task}"), Vec::<String>::new());
}

/// Every operation whose path names two things, so one that is added is tried as well.
#[tokio::test]
async fn what_is_ours_and_what_is_theirs_do_not_go_together_in_a_path() {
    let service = start(EVERYTHING).await;
    let mut connection = service.database.connect().await;
    let two = Two::new(&service, &mut connection).await;
    let mut tried = 0;
    for row in &rows() {
        for mixed in mixtures(row.operation) {
            two.refuse((&service, &mut connection), (&mixed, row.body), &[404])
                .await;
            tried += 1;
        }
    }
    assert!(tried >= 16, "{tried}");
}

#[tokio::test]
async fn what_is_theirs_is_not_ours_to_name_in_a_body() {
    let service = start(EVERYTHING).await;
    let mut connection = service.database.connect().await;
    let two = Two::new(&service, &mut connection).await;
    for line in NAMING.trim().lines() {
        let (operation, body) = line.split_once('|').unwrap();
        two.refuse(
            (&service, &mut connection),
            (operation.trim(), body.trim()),
            &[404, 409, 422],
        )
        .await;
    }
    // Whatever the matrix names in a body, as theirs. The secret of an invitation is for whoever has it.
    for row in &rows() {
        for name in NAMES.iter().filter(|name| **name != "secret") {
            let own = format!("\"{{{name}}}\"");
            if row.body.contains(&own) {
                let body = row.body.replace(&own, &format!("\"[{name}]\""));
                two.refuse((&service, &mut connection), (row.operation, &body), &[404, 422])
                    .await;
            }
        }
    }
}
