//! The processors of a pipeline with their positions, those inside of others among them.

use std::ops::ControlFlow;

use serde_json::{Map, Value};

use super::definition::{IngestPipeline, Processor};
use crate::error::{Error, ErrorKind};

/// Processors inside of processors that are looked into.
const DEEPEST: usize = 32;

/// Processors that exist to send documents to another index.
const OTHER_INDEX: [&str; 2] = ["reroute", "date_index_name"];

pub(super) const NO_KEY: &str = "no key, expected the type of a processor";

pub(super) fn many_keys(keys: &[String]) -> String {
    let names: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    match names.as_slice() {
        [one, other] => format!("two keys, {one} and {other}"),
        all => format!("{} keys, {}", all.len(), all.join(", ")),
    }
}

pub(super) fn no_options(kind: &str, found: &Value) -> String {
    let without = if found.is_null() { " (`{}` where there are none)" } else { "" };
    format!("the options of `{kind}` are {}, expected an object{without}", noun(found))
}

fn noun(value: &Value) -> &'static str {
    match value {
        Value::Null => "missing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A processor at its position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    /// Such as `processors[2].foreach.processor`.
    pub(super) position: &'a str,
    pub(super) kind: &'a str,
    pub(super) options: &'a Map<String, Value>,
}

/// Visits each processor of a list, one before those inside of it, until a visit breaks.
///
/// # Errors
/// The position and the reason, where something is no processor.
pub(super) fn visit<B>(
    name: &str,
    processors: &[Processor],
    visit: &mut impl FnMut(Step<'_>) -> ControlFlow<B>,
) -> Result<ControlFlow<B>, String> {
    for (place, processor) in processors.iter().enumerate() {
        let position = format!("{name}[{place}]");
        let step = Step { position: &position, kind: &processor.kind, options: &processor.options };
        if let broken @ ControlFlow::Break(_) = visit_step(step, visit, DEEPEST)? {
            return Ok(broken);
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn visit_step<B>(
    step: Step<'_>,
    visit: &mut impl FnMut(Step<'_>) -> ControlFlow<B>,
    deeper: usize,
) -> Result<ControlFlow<B>, String> {
    let Some(deeper) = deeper.checked_sub(1) else {
        return Err(format!("{}: processors are nested more than {DEEPEST} times", step.position));
    };
    if let broken @ ControlFlow::Break(_) = visit(step) {
        return Ok(broken);
    }
    for (position, value) in inside(step)? {
        let (kind, options) = split(value).map_err(|reason| format!("{position}: {reason}"))?;
        if let broken @ ControlFlow::Break(_) = visit_step(Step { position: &position, kind, options }, visit, deeper)?
        {
            return Ok(broken);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The processors inside of one: the one that `foreach` repeats, and those after a failure.
fn inside<'a>(step: Step<'a>) -> Result<Vec<(String, &'a Value)>, String> {
    let Step { position, kind, options } = step;
    let mut found = Vec::new();
    if kind == "foreach" {
        let position = format!("{position}.foreach.processor");
        match options.get("processor") {
            Some(value) => found.push((position, value)),
            None => return Err(format!("{position}: it is missing, expected a processor")),
        }
    }
    let name = format!("{position}.{kind}.on_failure");
    match options.get("on_failure") {
        None => {}
        Some(Value::Array(items)) => {
            found.extend(items.iter().enumerate().map(|(place, value)| (format!("{name}[{place}]"), value)));
        }
        Some(other) => return Err(format!("{name} is {}, expected a list of processors", noun(other))),
    }
    Ok(found)
}

/// Reads the type and the options out of a processor inside of another one.
fn split(value: &Value) -> Result<(&str, &Map<String, Value>), String> {
    let Value::Object(members) = value else {
        return Err(format!("it is {}, expected a processor", noun(value)));
    };
    let mut all = members.iter();
    match (all.next(), all.next()) {
        (None, _) => Err(NO_KEY.to_owned()),
        (Some((kind, Value::Object(options))), None) => Ok((kind, options)),
        (Some((kind, other)), None) => Err(no_options(kind, other)),
        (Some(_), Some(_)) => Err(many_keys(&members.keys().cloned().collect::<Vec<_>>())),
    }
}

/// Checks the processors inside of one.
pub(super) fn check_inside(position: &str, processor: &Processor) -> Result<(), String> {
    let step = Step { position, kind: &processor.kind, options: &processor.options };
    visit_step(step, &mut |_| ControlFlow::<()>::Continue(()), DEEPEST).map(|_| ())
}

/// See [`IngestPipeline::check`].
pub(super) fn check(pipeline: &IngestPipeline) -> Result<(), Error> {
    if pipeline.processors.is_empty() {
        return Err(Error::new(ErrorKind::Invalid, "the ingest pipeline has no processors"));
    }
    for (name, processors) in [("processors", &pipeline.processors), ("on_failure", &pipeline.on_failure)] {
        let found = visit(name, processors, &mut |step| match OTHER_INDEX.contains(&step.kind) {
            true => ControlFlow::Break(format!("{} is `{}`", step.position, step.kind)),
            false => ControlFlow::Continue(()),
        });
        match found {
            Err(reason) => return Err(Error::new(ErrorKind::Invalid, reason)),
            Ok(ControlFlow::Break(found)) => {
                let message = format!("{found}, which sends documents to another index");
                return Err(Error::new(ErrorKind::Invalid, message).with_help(
                    "the final pipeline of an index may not: the cluster rejects such documents; remove the processor",
                ));
            }
            Ok(ControlFlow::Continue(())) => {}
        }
    }
    Ok(())
}

/// The definition as the cluster takes it, with the position of each processor as its tag.
pub(super) fn tagged(pipeline: &IngestPipeline) -> Value {
    let mut body = pipeline.body();
    for name in ["processors", "on_failure"] {
        if let Some(list) = body.get_mut(name) {
            tag_all(name, list);
        }
    }
    body
}

fn tag_all(name: &str, list: &mut Value) {
    let Value::Array(items) = list else { return };
    for (place, item) in items.iter_mut().enumerate() {
        let Some((kind, Value::Object(options))) = item.as_object_mut().and_then(|members| members.iter_mut().next())
        else {
            continue;
        };
        let position = format!("{name}[{place}]");
        if let Some(inner) = options.get_mut("on_failure") {
            tag_all(&format!("{position}.{kind}.on_failure"), inner);
        }
        options.insert("tag".to_owned(), Value::String(position));
    }
}

/// The tag that a processor has in its definition.
pub(super) fn tag_at(pipeline: &IngestPipeline, position: &str) -> Option<String> {
    for (name, processors) in [("processors", &pipeline.processors), ("on_failure", &pipeline.on_failure)] {
        let found = visit(name, processors, &mut |step| match step.position == position {
            true => ControlFlow::Break(step.options.get("tag").and_then(Value::as_str).map(str::to_owned)),
            false => ControlFlow::Continue(()),
        });
        if let Ok(ControlFlow::Break(tag)) = found {
            return tag;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pipeline(value: Value) -> IngestPipeline {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn processors_inside_of_others_have_positions_and_tags() {
        let inner =
            json!({"foreach": {"field": "a", "processor": {"foreach": {"field": "b", "processor": {"trim": {}}}}}});
        let given = pipeline(json!({
            "processors": [{"set": {"tag": "mine", "on_failure": [{"drop": {}}, inner]}}],
            "on_failure": [{"fail": {"message": "m"}}],
        }));
        let mut seen = Vec::new();
        for (name, list) in [("processors", &given.processors), ("on_failure", &given.on_failure)] {
            let all = visit(name, list, &mut |step| {
                seen.push(format!("{} {}", step.position, step.kind));
                ControlFlow::<()>::Continue(())
            });
            assert!(all.unwrap().is_continue());
        }
        let each = "processors[0].set.on_failure[1]";
        assert_eq!(
            seen,
            [
                "processors[0] set".to_owned(),
                "processors[0].set.on_failure[0] drop".to_owned(),
                format!("{each} foreach"),
                format!("{each}.foreach.processor foreach"),
                format!("{each}.foreach.processor.foreach.processor trim"),
                "on_failure[0] fail".to_owned(),
            ]
        );
        let body = tagged(&given);
        assert_eq!(body["processors"][0]["set"]["tag"], "processors[0]");
        assert_eq!(body["processors"][0]["set"]["on_failure"][1]["foreach"]["tag"], each);
        assert_eq!(body["on_failure"][0]["fail"]["tag"], "on_failure[0]");
        assert_eq!(tag_at(&given, "processors[0]").as_deref(), Some("mine"));
        assert_eq!(tag_at(&given, "on_failure[0]"), None);
        let plain = tagged(&pipeline(json!({"processors": [{"drop": {}}]})));
        assert_eq!(plain, json!({"processors": [{"drop": {"tag": "processors[0]"}}]}));
    }

    #[test]
    fn what_sends_documents_elsewhere_is_refused() {
        let inner = json!({"processors": [{"set": {}}, {"set": {"on_failure": [{"reroute": {}}]}}]});
        let error = pipeline(inner).check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let message = "processors[1].set.on_failure[0] is `reroute`, which sends documents to another index";
        assert_eq!(error.to_string(), message);
        let failing = json!({"processors": [{"set": {}}], "on_failure": [{"date_index_name": {}}]});
        assert!(pipeline(failing).check().unwrap_err().to_string().starts_with("on_failure[0] is"));
        pipeline(json!({"processors": [{"set": {}}]})).check().unwrap();
        assert_eq!(IngestPipeline::default().check().unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[test]
    fn endless_nesting_is_refused() {
        let mut value = json!({"trim": {"field": "f"}});
        for _ in 0..DEEPEST {
            value = json!({"foreach": {"field": "f", "processor": value}});
        }
        let Value::Object(options) = json!({"field": "f", "processor": value}) else { panic!() };
        let deep = IngestPipeline { processors: vec![Processor::new("foreach", options)], ..IngestPipeline::default() };
        let error = deep.check().unwrap_err();
        assert!(error.to_string().ends_with("processors are nested more than 32 times"), "{error}");
    }
}
