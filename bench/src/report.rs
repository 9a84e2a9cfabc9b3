//! What was measured, as tables that can be pasted into `docs/benchmarks.md`.

use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;

/// All tables of a run.
#[derive(Default)]
pub(crate) struct Report {
    tables: Vec<(String, Table)>,
}

impl Report {
    /// Begins a table.
    pub(crate) fn begin(&mut self, title: &str, headers: &[&str]) {
        let mut table = Table::new();
        table.load_preset(ASCII_MARKDOWN).set_header(headers.to_vec());
        self.tables.push((title.to_owned(), table));
    }

    /// Adds a row to the table that was begun last.
    ///
    /// # Panics
    /// When none was.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        let (_, table) = self.tables.last_mut().expect("a table was begun");
        table.add_row(cells);
    }

    /// Shows the table that was begun last.
    pub(crate) fn print_last(&self) {
        if let Some((title, table)) = self.tables.last() {
            println!("\n{title}\n\n{table}");
        }
    }
}

/// Whether a figure is within its goal.
pub(crate) fn verdict(seen: f64, goal: f64) -> String {
    if seen < goal { "met".to_owned() } else { format!("missed by {:.0} %", (seen / goal - 1.0) * 100.0) }
}
