//! `measure`: values of views, recorded under names.

use std::collections::BTreeMap;

use dzsim_scenario::plan::{Segment, ViewPath};
use serde_json::Value;

use super::{Context, StepError};
use crate::run::{
    measure::{Measure, Unit},
    view,
};

/// Looks at each place once and records what is there.
pub(super) async fn run(context: &Context, measures: &BTreeMap<String, ViewPath>) -> Result<(), StepError> {
    for (name, path) in measures {
        let whole = view::look(&context.world, &path.view).await?;
        let value = view::follow(&whole, &path.rest);
        let found = of(path, &value).ok_or_else(|| StepError {
            message: format!("{}: there is nothing to measure", path.text),
            expected: Some("a number, a text, a list or a table".to_owned()),
            actual: Some(value.to_string()),
            ..StepError::default()
        })?;
        context.record(name, found);
    }
    Ok(())
}

/// A value as a measure; none of nothing.
fn of(path: &ViewPath, value: &Value) -> Option<Measure> {
    let nanoseconds = matches!(path.rest.last(), Some(Segment::Key(key)) if key.ends_with("_ns"));
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => Measure::text(value.to_string()),
        Value::Number(number) if nanoseconds => Measure::number(Unit::Milliseconds, number.as_f64()? / 1e6),
        Value::Number(number) => Measure::number(Unit::Count, number.as_f64()?),
        Value::String(text) => Measure::text(text.clone()),
        Value::Array(list) => Measure::number(Unit::Count, list.len() as f64),
        Value::Object(table) => Measure::number(Unit::Count, table.len() as f64),
    })
}

#[cfg(test)]
mod tests {
    use dzsim_scenario::plan::View;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_a_number_with_its_unit_or_a_text() {
        let at = |key: &str| ViewPath {
            text: key.to_owned(),
            view: View::ChainDevices,
            rest: vec![Segment::Key(key.to_owned())],
        };
        assert_eq!(of(&at("users"), &json!(3)), Some(Measure::number(Unit::Count, 3.0)));
        assert_eq!(of(&at("delay_ns"), &json!(2_500_000)), Some(Measure::number(Unit::Milliseconds, 2.5)));
        assert_eq!(of(&at("status"), &json!("drained")), Some(Measure::text("drained")));
        assert_eq!(of(&at("endpoints"), &json!(["a", "b"])), Some(Measure::number(Unit::Count, 2.0)));
        assert_eq!(of(&at("none"), &Value::Null), None);
    }
}
