//! `AddTags`, `RemoveTags`, `DescribeTags`.

use super::{Answer, Asked, NAMESPACE};
use crate::elb::ElbError;
use crate::elb::model::Tags;
use crate::wire::{answer, empty_answer};

impl Asked<'_> {
    /// The tags sent with a creation or with `AddTags`.
    pub(super) fn tags(&self) -> Tags {
        self.parameters
            .list("Tags")
            .into_iter()
            .filter_map(|tag| {
                Some((
                    tag.text("Key")?.to_owned(),
                    tag.text("Value").unwrap_or_default().to_owned(),
                ))
            })
            .collect()
    }

    pub(super) fn add_tags(&self) -> Answer {
        let tags = self.tags();
        self.change_tags(|known| known.extend(tags.clone()))
    }

    pub(super) fn remove_tags(&self) -> Answer {
        let keys = self.parameters.texts("TagKeys");
        self.change_tags(|known| known.retain(|key, _| !keys.contains(&key.as_str())))
    }

    pub(super) fn describe_tags(&self) -> Answer {
        let arns = self.arns("ResourceArns", absent)?;
        let found: Vec<(&str, Tags)> = self.elb.model.read(|model| {
            let tags = |arn: &str| model.tags(arn).cloned().ok_or_else(|| absent(arn.to_owned()));
            arns.iter()
                .map(|arn| Ok::<_, ElbError>((*arn, tags(arn)?)))
                .collect::<Result<_, _>>()
        })?;
        Ok(answer(self.call, NAMESPACE, |xml| {
            xml.list("TagDescriptions", found, |xml, (arn, tags)| {
                xml.text("ResourceArn", arn);
                xml.list("Tags", tags, |xml, (key, value)| {
                    xml.text("Key", key);
                    xml.text("Value", value);
                });
            });
        }))
    }

    /// On all resources or on none.
    fn change_tags(&self, change: impl Fn(&mut Tags)) -> Answer {
        let arns = self.arns("ResourceArns", absent)?;
        self.elb.change(|model| {
            if let Some(unknown) = arns.iter().find(|arn| model.tags(arn).is_none()) {
                return Err(absent((*unknown).to_owned()));
            }
            for arn in &arns {
                model.tags_mut(arn).map(&change);
            }
            Ok(())
        })?;
        Ok(empty_answer(self.call, NAMESPACE))
    }
}

/// Each kind of resource has its own error.
fn absent(arn: String) -> ElbError {
    let kind = arn
        .split(':')
        .nth(5)
        .and_then(|resource| resource.split('/').next())
        .unwrap_or_default();
    match kind {
        "targetgroup" => ElbError::TargetGroupNotFound(arn),
        "listener" => ElbError::ListenerNotFound(arn),
        "listener-rule" => ElbError::RuleNotFound(arn),
        _ => ElbError::LoadBalancerNotFound(arn),
    }
}
