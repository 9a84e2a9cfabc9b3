//! Tables as kubectl prints them: columns three spaces apart, no lines. Colour says how
//! things are, and never changes the text.

use owo_colors::{OwoColorize as _, Style};

use crate::printable::cell;

/// Lines of a table; `headers` come first unless empty. Of a cell the first line is shown.
pub(crate) fn lines(headers: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    Table::default().lines(headers, rows)
}

/// A table that grows: its columns never get narrower, so that later rows stand under earlier ones.
#[derive(Default)]
pub(crate) struct Table {
    widths: Vec<usize>,
}

impl Table {
    /// The next lines; see [`lines`].
    pub(crate) fn lines(&mut self, headers: &[&str], rows: &[Vec<String>]) -> Vec<String> {
        let headers: Vec<String> = headers.iter().map(|&header| header.to_owned()).collect();
        let cells = |row: &Vec<String>| row.iter().map(|text| cell(text).into_owned()).collect();
        let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
        for row in std::iter::once(&headers).chain(&rows) {
            self.widths.resize(self.widths.len().max(row.len()), 0);
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut lines = Vec::new();
        if !headers.is_empty() {
            lines.push(line(&self.widths, &headers, |_, _| Style::new().bold()));
        }
        let style = |index: usize, cell: &str| style(headers.get(index).map(String::as_str), cell);
        lines.extend(rows.iter().map(|row| line(&self.widths, row, style)));
        lines
    }
}

fn line(widths: &[usize], cells: &[String], style: impl Fn(usize, &str) -> Style) -> String {
    let mut line = String::new();
    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
        line.push_str(&cell.style(style(index, cell)).to_string());
        if index + 1 < cells.len() {
            line.push_str(&" ".repeat(width - cell.chars().count() + 3));
        }
    }
    line
}

/// Columns whose words say whether all is well.
const STATES: &[&str] = &["STATUS", "PHASE", "CONDITION", "TYPE", "REACHABLE"];

fn style(header: Option<&str>, cell: &str) -> Style {
    if !header.is_some_and(|header| STATES.contains(&header)) {
        return Style::new();
    }
    match cell.split([',', ' ']).next().unwrap_or_default() {
        "Running" | "Ready" | "Active" | "Bound" | "Completed" | "Complete" | "Succeeded" | "yes" => {
            Style::new().green()
        }
        "Pending" | "ContainerCreating" | "PodInitializing" | "Terminating" | "Warning" => {
            Style::new().yellow()
        }
        "Error" | "CrashLoopBackOff" | "Failed" | "NotReady" | "ImagePullBackOff" | "ErrImagePull"
        | "Unknown" | "Evicted" | "OOMKilled" | "ErrImageNeverPull" | "no" => Style::new().red(),
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn plain(lines: &[String]) -> String {
        anstream::adapter::strip_str(&lines.join("\n")).to_string()
    }

    #[test]
    fn later_rows_stand_under_earlier_ones() {
        let row = |name: &str, status: &str| vec![vec![name.to_owned(), status.to_owned(), "5s".to_owned()]];
        let mut table = Table::default();
        let headers = ["NAME", "STATUS", "AGE"];
        let mut all = table.lines(&headers, &row("web-66f7d84b7d-2vsl8", "Pending"));
        all.extend(table.lines(&headers, &row("web", "ContainerCreating")).split_off(1));
        all.extend(table.lines(&headers, &row("web-66f7d84b7d-2vsl8", "Running")).split_off(1));
        expect![[r"
            NAME                   STATUS    AGE
            web-66f7d84b7d-2vsl8   Pending   5s
            web                    ContainerCreating   5s
            web-66f7d84b7d-2vsl8   Running             5s"]]
        .assert_eq(&plain(&all));
    }

    #[test]
    fn a_cell_moves_no_cursor_and_has_one_line() {
        let rows = vec![vec!["\u{1b}[31mred".to_owned(), "a\nb".to_owned(), "x".to_owned()]];
        assert_eq!(plain(&lines(&[], &rows)), "^[[31mred   a...   x");
    }

    #[test]
    fn columns_stand_under_each_other() {
        let rows = vec![
            vec!["web-1".to_owned(), "Running".to_owned(), "5s".to_owned()],
            vec!["größer".to_owned(), "Error".to_owned(), String::new()],
        ];
        let lines = lines(&["NAME", "STATUS", "AGE"], &rows);
        expect![[r"
            NAME     STATUS    AGE
            web-1    Running   5s
            größer   Error     "]]
        .assert_eq(&plain(&lines));
        assert!(lines[1].contains("\u{1b}[32mRunning"), "{:?}", lines[1]);
    }
}
