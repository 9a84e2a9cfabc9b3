//! Reads the table's text. A line that begins with a blank is a field of the type above it:
//! ` name numbers type flag...`; other lines are types: `name group/version/Kind... = scalar atomic`.

use super::{Field, Kind, List, Scalar, Shape, Type};

/// The whole table.
///
/// # Errors
/// The first line that is wrong.
pub(super) fn table(text: &'static str) -> Result<Vec<Type>, String> {
    let mut types: Vec<Type> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let wrong = || format!("no line of the table of facts: {line}");
        if let Some(line) = line.strip_prefix(' ') {
            let field = field(line).ok_or_else(wrong)?;
            types.last_mut().ok_or_else(wrong)?.fields.push(field);
        } else {
            types.push(head(line).ok_or_else(wrong)?);
        }
    }
    Ok(types)
}

fn head(line: &'static str) -> Option<Type> {
    let mut words = line.split(' ');
    let name = words.next()?;
    let mut found = Type { name, kinds: Vec::new(), scalar: None, atomic: false, fields: Vec::new() };
    while let Some(word) = words.next() {
        match word {
            "=" => found.scalar = Some(shape(words.next()?)?),
            "atomic" => found.atomic = true,
            _ => found.kinds.push(kind(word)?),
        }
    }
    Some(found)
}

fn kind(word: &'static str) -> Option<Kind> {
    let mut parts = word.split('/');
    Some(Kind { group: parts.next()?, version: parts.next()?, kind: parts.next()? })
}

fn field(line: &'static str) -> Option<Field> {
    let mut words = line.split(' ');
    let (name, numbers, of) = (words.next()?, words.next()?, words.next()?);
    let mut field = Field {
        name,
        numbers: path(numbers)?,
        shape: shape(of)?,
        required: false,
        default: None,
        patch_strategy: "",
        merge_key: "",
        list: None,
        atomic: false,
        pointer: false,
        values: "",
    };
    for word in words {
        let (flag, value) = word.split_once('=').unwrap_or((word, ""));
        match flag {
            "required" => field.required = true,
            "pointer" => field.pointer = true,
            "default" => field.default = Some(value),
            "patch" => field.patch_strategy = value,
            "merge-key" => field.merge_key = value,
            "list" => field.list = Some(list(value)?),
            "keys" => field.list = Some(List::Map(value)),
            "map" => field.atomic = value == "atomic",
            "enum" => field.values = value,
            _ => return None,
        }
    }
    Some(field)
}

fn path(numbers: &str) -> Option<Vec<u32>> {
    if numbers == "-" {
        return Some(Vec::new());
    }
    numbers.split('.').map(|number| number.parse().ok()).collect()
}

fn list(name: &str) -> Option<List> {
    Some(match name {
        "atomic" => List::Atomic,
        "set" => List::Set,
        "map" => List::Map(""),
        _ => return None,
    })
}

fn shape(word: &'static str) -> Option<Shape> {
    let within = |open, close| word.strip_prefix(open)?.strip_suffix(close);
    if let Some(inner) = within('[', ']') {
        return Some(Shape::List(Box::new(shape(inner)?)));
    }
    if let Some(inner) = within('{', '}') {
        return Some(Shape::Map(Box::new(shape(inner)?)));
    }
    let scalar = match word {
        "string" => Scalar::String,
        "bool" => Scalar::Bool,
        "int32" => Scalar::Int32,
        "int64" => Scalar::Int64,
        "double" => Scalar::Double,
        "bytes" => Scalar::Bytes,
        "object" => Scalar::Object,
        "any" => Scalar::Any,
        name => return name.contains('.').then_some(Shape::Type(name)),
    };
    Some(Shape::Scalar(scalar))
}
