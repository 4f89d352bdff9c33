//! Tags, both ways.

use std::collections::BTreeMap;

use aws_sdk_rds::types::Tag;
use tt_plan::database::Mark;

pub(crate) fn sdk(mark: &Mark) -> Vec<Tag> {
    mark.tags()
        .into_iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

pub(crate) fn mark(tags: &[Tag]) -> Option<Mark> {
    let tags: BTreeMap<String, String> = tags
        .iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())))
        .collect();
    Mark::of(&tags)
}
