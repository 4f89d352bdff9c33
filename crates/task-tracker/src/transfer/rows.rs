//! Tasks as the rows of a table, read whole: either every row is a task, or each that is not is named.

use csv::{ReaderBuilder, StringRecord};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::{
    MOST_TASKS,
    cell::{restored, split},
};
use crate::{
    problem::Problem,
    task::{Few, Moment, Priority, Status},
    text::{Name, Prose},
};

/// In the order in which they are written; they may come in another.
pub(super) const COLUMNS: [&str; 7] = [
    "title",
    "description",
    "status",
    "priority",
    "due_at",
    "labels",
    "assignees",
];
/// Rows that a problem names before it only counts.
const NAMED: usize = 10;

/// A row that is a task.
pub(super) struct Row {
    /// As a spreadsheet counts, where the names are row 1; empty lines do not count.
    pub(super) number: usize,
    pub(super) title: Name,
    pub(super) description: Prose,
    pub(super) status: Status,
    pub(super) priority: Priority,
    pub(super) due_at: Option<Moment>,
    pub(super) labels: Vec<Name>,
    pub(super) assignees: Few,
}

/// What is wrong, and where.
#[derive(Default)]
pub(super) struct Faults {
    named: Vec<String>,
    count: usize,
}

impl Faults {
    pub(super) fn add(&mut self, row: usize, what: &str) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(format!("row {row}: {what}"));
        }
    }

    /// Nothing when there are none.
    pub(super) fn refuse(self) -> Result<(), Problem> {
        if self.count == 0 {
            return Ok(());
        }
        let more = match self.count - self.named.len() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        Err(Problem::Invalid {
            detail: format!("nothing was imported: {}{more}", self.named.join("; ")),
        })
    }
}

/// All tasks of a table.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Row>, Problem> {
    // Spreadsheets begin a file of UTF-8 with this.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = ReaderBuilder::new().from_reader(bytes);
    let names = reader.headers().map_err(|cause| unreadable(1, &cause))?.clone();
    let places = places(&names)?;
    let (mut rows, mut faults) = (Vec::new(), Faults::default());
    for (number, record) in (2..).zip(reader.records()) {
        let record = record.map_err(|cause| unreadable(number, &cause))?;
        if rows.len() == MOST_TASKS {
            return Err(Problem::Invalid {
                detail: format!("row {number}: an import has at most {MOST_TASKS} tasks"),
            });
        }
        match row(&record, number, places) {
            Ok(row) => rows.push(row),
            Err(what) => faults.add(number, &what),
        }
    }
    faults.refuse()?;
    Ok(rows)
}

fn unreadable(row: usize, cause: &csv::Error) -> Problem {
    Problem::Invalid {
        detail: format!("nothing was imported: row {row}: {cause}"),
    }
}

/// Where each of the columns is.
fn places(names: &StringRecord) -> Result<[Option<usize>; 7], Problem> {
    let invalid = |detail: String| Problem::Invalid { detail };
    let mut places = [None; 7];
    for (place, name) in names.iter().enumerate() {
        let known = COLUMNS
            .iter()
            .position(|column| column.eq_ignore_ascii_case(name.trim()));
        let Some(column) = known else {
            let all = COLUMNS.join(", ");
            return Err(invalid(format!(
                "row 1: there is no column `{}`; there are {all}",
                name.escape_debug()
            )));
        };
        if places[column].replace(place).is_some() {
            return Err(invalid(format!(
                "row 1: the column `{}` is there twice",
                COLUMNS[column]
            )));
        }
    }
    match places[0] {
        Some(_) => Ok(places),
        None => Err(invalid("row 1: the column `title` is missing".into())),
    }
}

fn row(record: &StringRecord, number: usize, places: [Option<usize>; 7]) -> Result<Row, String> {
    let cells = places.map(|place| place.and_then(|place| record.get(place)).unwrap_or_default());
    let [title, description, status, priority, due_at, labels, assignees] = cells;
    let of = |column: usize| move |what: String| format!("`{}`: {what}", COLUMNS[column]);
    let text = |cell: &str| Value::from(restored(cell));
    let names = split(restored(labels));
    if names.len() > 20 {
        return Err(of(5)("a task has at most 20 labels".into()));
    }
    let assignees: Vec<Uuid> = split(assignees)
        .iter()
        .map(|id| id.trim().parse::<Uuid>())
        .collect::<Result<_, _>>()
        .map_err(|_| of(6)("expected ids of users".into()))?;
    Ok(Row {
        number,
        title: parsed(text(title)).map_err(of(0))?,
        description: parsed(text(description)).map_err(of(1))?,
        status: or_default(status).map_err(of(2))?,
        priority: or_default(priority).map_err(of(3))?,
        due_at: or_default(due_at).map_err(of(4))?,
        labels: names
            .into_iter()
            .map(|name| parsed(name.into()))
            .collect::<Result<_, _>>()
            .map_err(of(5))?,
        assignees: Few::try_from(assignees).map_err(str::to_owned).map_err(of(6))?,
    })
}

/// As the same value would be read in JSON.
fn parsed<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|cause| cause.to_string())
}

fn or_default<T: DeserializeOwned + Default>(cell: &str) -> Result<T, String> {
    match cell.trim() {
        "" => Ok(T::default()),
        cell => parsed(cell.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(table: &str) -> String {
        match read(table.as_bytes()) {
            Err(Problem::Invalid { detail }) => detail,
            Err(other) => format!("{other:?}"),
            Ok(rows) => format!("{} rows", rows.len()),
        }
    }

    #[test]
    fn a_table_is_read_whatever_the_order_of_its_columns() {
        let table = "\u{feff}Status,title,labels\r\ndone,\"dig, then rake\",red;blue\r\n,sow,\r\n";
        let rows = read(table.as_bytes()).map_err(|_| ()).unwrap();
        assert_eq!(rows[0].title.as_str(), "dig, then rake");
        assert_eq!(
            (rows[0].status, rows[0].labels.len(), rows[0].number),
            (Status::Done, 2, 2)
        );
        assert_eq!(
            (rows[1].status, rows[1].labels.len(), rows[1].number),
            (Status::Open, 0, 3)
        );
    }

    #[test]
    fn every_row_that_is_no_task_is_named() {
        for (table, expected) in [
            ("", "row 1: the column `title` is missing"),
            ("name\ndig", "row 1: there is no column `name`"),
            ("title,Title\n", "row 1: the column `title` is there twice"),
            ("title\n\"\"\n", "row 2: `title`: a name must not be blank"),
            (
                "title,status\ndig,soon\nrake,\nsow,late\n",
                "row 2: `status`: unknown variant `soon`",
            ),
            (
                "title,status\ndig,soon\nrake,\nsow,late\n",
                "; row 4: `status`: unknown variant `late`",
            ),
            ("title,due_at\ndig,tomorrow\n", "row 2: `due_at`: "),
            (
                "title,assignees\ndig,ann\n",
                "row 2: `assignees`: expected ids of users",
            ),
            ("title,status\ndig\n", "row 2: "),
            ("title\na\0b\n", "row 2: `title`: a name has no control characters"),
        ] {
            let found = complaint(table);
            assert!(found.contains(expected), "{table:?}: {found}");
        }
        let many = "title\n".to_owned() + &"\u{1}\n".repeat(30);
        assert!(complaint(&many).ends_with("; and 20 more"), "{}", complaint(&many));
        let too_many = "title\n".to_owned() + &"dig\n".repeat(MOST_TASKS + 1);
        assert!(complaint(&too_many).contains("at most 5000 tasks"));
        assert!(matches!(read(b"title\n\xff\n"), Err(Problem::Invalid { .. })));
    }
}
