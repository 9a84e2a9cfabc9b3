//! JSON or YAML as a value, and the fields that it names twice, of which the last one counts, as for every client and
//! server in Go.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use xebec_api::check::{Place, Step};

use super::budget::Budget;

/// Fields that stand there again and are looked at; what is more says nothing new.
const MOST_NOTED: usize = 32;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) value: Value,
    /// The paths of fields that stand there twice, such as `spec.containers[0].image`.
    pub(super) duplicates: Vec<String>,
}

impl Fields {
    /// Reads them, within a budget.
    ///
    /// # Errors
    /// The deserializer's own, or the budget's.
    pub(super) fn read<'de, D: Deserializer<'de>>(
        deserializer: D,
        budget: &Budget,
    ) -> Result<Self, D::Error> {
        let twice = Twice::default();
        let root = Reader { place: Place::ROOT, twice: &twice, budget };
        let value = root.deserialize(deserializer)?;
        Ok(Self { value, duplicates: twice.named.into_inner() })
    }
}

/// What stands there twice, each path once.
#[derive(Default)]
struct Twice {
    noted: Cell<usize>,
    named: RefCell<Vec<String>>,
}

/// Reads the value at a place.
struct Reader<'a> {
    place: Place<'a>,
    twice: &'a Twice,
    budget: &'a Budget,
}

impl Reader<'_> {
    fn below<'b>(&'b self, step: Step<'b>) -> Reader<'b> {
        Reader { place: self.place.below(step), twice: self.twice, budget: self.budget }
    }

    /// A number, a switch or nothing.
    fn mark<E: Error>(&self, value: impl Into<Value>) -> Result<Value, E> {
        self.budget.take(1)?;
        Ok(value.into())
    }

    /// A body may say one field twice many thousand times: a path is made for the first few of them only.
    fn note_twice(&self, field: &str) {
        let noted = self.twice.noted.get();
        if noted < MOST_NOTED {
            self.twice.noted.set(noted + 1);
            let path = self.below(Step::Field(field)).place.path();
            let mut named = self.twice.named.borrow_mut();
            if !named.contains(&path) {
                named.push(path);
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.mark(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.mark(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.mark(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.mark(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.budget.text(value).map(Value::String)
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.mark(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.mark(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        self.budget.take(2)?;
        while let Some(item) = items.next_element_seed(self.below(Step::Index(list.len())))? {
            self.budget.take(1)?;
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        self.budget.take(2)?;
        while let Some(name) = fields.next_key_seed(Name(self.budget))? {
            self.budget.take(2)?;
            let value = fields.next_value_seed(self.below(Step::Field(&name)))?;
            if map.contains_key(&name) {
                self.note_twice(&name);
            }
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

/// A field's name, a text whatever it looks like.
struct Name<'a>(&'a Budget);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<String, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string key")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        self.0.text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOST: usize = 3 << 20;

    fn json(text: &str) -> Fields {
        Fields::read(&mut serde_json::Deserializer::from_str(text), &Budget::of(MOST)).expect("JSON")
    }

    fn yaml(text: &str) -> Fields {
        Fields::read(serde_yaml_ng::Deserializer::from_str(text), &Budget::of(MOST)).expect("YAML")
    }

    #[test]
    fn fields_that_stand_there_twice_are_named_and_the_last_one_counts() {
        let text = r#"{"a": 1, "a": 2, "b": [{"c": 1}, {"c": 1, "c": null}], "d": {"e/f": {}, "e/f": {"g": 1, "g": 2}}}"#;
        for read in [json(text), yaml(text)] {
            assert_eq!(read.duplicates, ["a", "b[1].c", "d.e/f.g", "d.e/f"]);
            let last = serde_json::json!({"a": 2, "b": [{"c": 1}, {"c": null}], "d": {"e/f": {"g": 2}}});
            assert_eq!(read.value, last);
        }
        assert_eq!(json(r#"{"a": 1, "a": 2, "a": 3}"#).duplicates, ["a"], "once is enough");
        let many: Vec<String> = (0..100).map(|number| format!("\"{number}\": 1, \"{number}\": 2")).collect();
        assert_eq!(json(&format!("{{{}}}", many.join(","))).duplicates.len(), MOST_NOTED);
    }

    #[test]
    fn what_stands_there_often_costs_no_more_than_what_stands_there_twice() {
        let (long, often) = ("x".repeat(1 << 20), "\"a\": 1,".repeat(250_000));
        let read = json(&format!("{{\"{long}\": {{{often}\"b\": 1, \"b\": 2}}}}"));
        let [only] = read.duplicates.as_slice() else { panic!("{} are named", read.duplicates.len()) };
        assert!(only.starts_with("xxx") && only.len() < 300, "{} bytes are shown", only.len());
        assert_eq!(read.value[&long], serde_json::json!({"a": 1, "b": 2}));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-d]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_are_read_as_they_are(value in value()) {
            let text = value.to_string();
            let read = json(&text);
            prop_assert_eq!(&read.value, &serde_json::from_str::<Value>(&text).expect("JSON"));
            prop_assert!(read.duplicates.is_empty());
        }
    }
}
