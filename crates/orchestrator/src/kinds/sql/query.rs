//! A query of a `sql` asset: its tables, what it needs of each of them, and its execution.
//!
//! Polars itself says what a query needs: it runs once over tables without rows, which note the
//! columns and the predicates that the optimizer leaves to them. The same run finds every mistake
//! that does not depend on values. What of a predicate Elasticsearch can apply is
//! [`filter`](super::filter)'s.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use polars::prelude::*;
use polars::sql::SQLContext;
use sqlparser::ast::{ObjectName, Query, Visit as _, Visitor};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserOptions};

use super::definition::SqlFormat;

/// Rows of a row group of the result: what a loader reads at once.
const ROW_GROUP_ROWS: usize = 64 * 1024;

/// A mistake in a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// The problem: lower case, without a full stop.
    pub message: String,
    /// The word of the query that it is about, and its number among the equal words.
    pub word: Option<(String, usize)>,
}

/// Returns the tables of a query, each once, without those that it defines itself with `WITH`.
///
/// # Errors
/// When it is not one query in SQL.
pub(super) fn tables(query: &str) -> Result<Vec<String>, Problem> {
    let options = ParserOptions { trailing_commas: true, ..ParserOptions::default() };
    let parser = Parser::new(&GenericDialect).with_options(options).try_with_sql(query);
    let statements = parser.and_then(|mut parser| parser.parse_statements());
    let statements = statements.map_err(|error| syntax_problem(query, &error.to_string()))?;
    let [statement] = statements.as_slice() else {
        let message = format!("expected one query, found {}", statements.len());
        return Err(Problem { message, word: None });
    };
    if !matches!(statement, sqlparser::ast::Statement::Query(_)) {
        let message = "expected a query that selects rows".to_owned();
        let word = statement.to_string().split_whitespace().next().map(|word| (word.to_owned(), 0));
        return Err(Problem { message, word });
    }
    let mut found = TableNames::default();
    let _ = statement.visit(&mut found);
    let own = found.own;
    let mut seen = BTreeSet::new();
    Ok(found.names.into_iter().filter(|name| !own.contains(name) && seen.insert(name.clone())).collect())
}

/// Collects the names of tables, and of those that the query defines itself.
#[derive(Default)]
struct TableNames {
    names: Vec<String>,
    own: BTreeSet<String>,
}

impl Visitor for TableNames {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let defined = query.with.iter().flat_map(|with| &with.cte_tables);
        self.own.extend(defined.map(|table| table.alias.name.value.clone()));
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let name = relation.0.last().and_then(|part| part.as_ident());
        self.names.extend(name.map(|name| name.value.clone()));
        ControlFlow::Continue(())
    }
}

/// A syntax error, at the word that the parser names: `... at Line: 2, Column: 14`.
fn syntax_problem(query: &str, error: &str) -> Problem {
    let message = error.strip_prefix("sql parser error: ").unwrap_or(error);
    let Some((message, place)) = message.rsplit_once(" at Line: ") else {
        return Problem { message: lower_first(message), word: None };
    };
    let place = place.split_once(", Column: ").and_then(|(line, column)| {
        Some((line.parse::<usize>().ok()?.checked_sub(1)?, column.parse::<usize>().ok()?.checked_sub(1)?))
    });
    let word = place.and_then(|(line, column)| {
        let before: usize = query.split_inclusive('\n').take(line).map(str::len).sum();
        let rest = query.get(before..)?;
        let start = before + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at);
        word_at(query, start)
    });
    Problem { message: format!("the query cannot be parsed: {}", lower_first(message)), word }
}

/// The word that starts at a place of a text, with its number among the equal words.
fn word_at(text: &str, start: usize) -> Option<(String, usize)> {
    let rest = text.get(start..)?;
    let end = rest.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(rest.len());
    let word = match end {
        0 => rest.get(..rest.chars().next()?.len_utf8())?,
        end => &rest[..end],
    };
    let number = es_values::words(text, word).take_while(|at| *at < start).count();
    Some((word.to_owned(), number))
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// The columns and rows that a query needs of one of its tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TableNeeds {
    /// The columns, in the order of the table.
    pub columns: Vec<String>,
    /// The condition that the rows fulfil that the query uses; `None` if it may use all of them.
    pub predicate: Option<Expr>,
}

/// The needs of a query, by table.
pub(super) type Needs = BTreeMap<String, TableNeeds>;

/// Runs a query over its tables without rows.
///
/// # Errors
/// When it names columns or functions that do not exist, or combines types that do not fit.
pub(super) fn inspect(query: &str, tables: &BTreeMap<String, SchemaRef>) -> Result<Needs, Problem> {
    inspect_with_polars(query, tables).map_err(|error| problem(query, &error))
}

fn inspect_with_polars(query: &str, tables: &BTreeMap<String, SchemaRef>) -> PolarsResult<Needs> {
    let mut context = SQLContext::new();
    let mut recorders = BTreeMap::new();
    for (name, schema) in tables {
        let recorder = Arc::new(Recorder { schema: schema.clone(), scans: Mutex::default() });
        let args = ScanArgsAnonymous { schema: Some(schema.clone()), ..ScanArgsAnonymous::default() };
        context.register(name, LazyFrame::anonymous_scan(recorder.clone(), args)?);
        recorders.insert(name.clone(), recorder);
    }
    context.execute(query)?.collect()?;
    Ok(recorders.into_iter().map(|(name, recorder)| (name, recorder.needs())).collect())
}

/// A table without rows that notes what is asked of it.
struct Recorder {
    schema: SchemaRef,
    scans: Mutex<Vec<Scan>>,
}

struct Scan {
    columns: Option<Vec<PlSmallStr>>,
    predicate: Option<Expr>,
}

impl AnonymousScan for Recorder {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn scan(&self, args: AnonymousScanArgs) -> PolarsResult<DataFrame> {
        let columns = args.with_columns.map(|columns| columns.to_vec());
        let empty = DataFrame::empty_with_schema(&self.schema);
        let frame = match &columns {
            Some(columns) => empty.select(columns.iter().cloned())?,
            None => empty,
        };
        let mut scans = self.scans.lock().unwrap_or_else(PoisonError::into_inner);
        scans.push(Scan { columns, predicate: args.predicate });
        Ok(frame)
    }

    fn schema(&self, _: Option<usize>) -> PolarsResult<SchemaRef> {
        Ok(self.schema.clone())
    }

    fn allows_predicate_pushdown(&self) -> bool {
        true
    }

    fn allows_projection_pushdown(&self) -> bool {
        true
    }
}

impl Recorder {
    fn needs(&self) -> TableNeeds {
        let scans = self.scans.lock().unwrap_or_else(PoisonError::into_inner);
        let mut named: BTreeSet<&str> = BTreeSet::new();
        for scan in scans.iter() {
            match &scan.columns {
                Some(columns) => named.extend(columns.iter().map(PlSmallStr::as_str)),
                None => named.extend(self.schema.iter_names().map(PlSmallStr::as_str)),
            }
            for part in scan.predicate.iter().flatten() {
                if let Expr::Column(name) = part {
                    named.insert(name);
                }
            }
        }
        // A scan that the engine left out on empty tables is one that asks for everything.
        let is_unknown = scans.is_empty();
        let mut columns: Vec<String> = self.schema.iter_names().map(|name| name.to_string()).collect();
        columns.retain(|name| is_unknown || named.contains(name.as_str()));
        if columns.is_empty() {
            // Rows are counted: any column shows how many there are.
            columns.extend(self.schema.iter_names().next().map(|name| name.to_string()));
        }
        let predicate = match scans.as_slice() {
            [scan] => scan.predicate.clone(),
            _ => None,
        };
        TableNeeds { columns, predicate }
    }
}

/// An error of Polars as a mistake in the query, at the first name in it that is also in the query.
fn problem(query: &str, error: &PolarsError) -> Problem {
    let text = error.to_string();
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    // Polars names functions in lower case.
    let lower = query.to_ascii_lowercase();
    let as_written = |name: &str| {
        let start = lower.find(&name.to_ascii_lowercase()).filter(|_| !name.is_empty())?;
        query.get(start..start + name.len()).map(str::to_owned)
    };
    let names = first.split(['"', '\'', '`']).skip(1).step_by(2);
    let word = names.into_iter().find_map(as_written);
    Problem { message: lower_first(first.trim()), word: word.map(|word| (word, 0)) }
}

/// Runs a query over files of Parquet into a file, with the streaming engine, and returns the number
/// of rows. Blocks.
///
/// # Errors
/// When it fails on a value, or a file cannot be read or written.
pub(super) fn run(query: &str, tables: &BTreeMap<String, PathBuf>, to: &Path, format: SqlFormat) -> PolarsResult<u64> {
    let mut context = SQLContext::new();
    for (name, path) in tables {
        let path = PlRefPath::try_from_path(path)?;
        context.register(name, LazyFrame::scan_parquet(path, ScanArgsParquet::default())?);
    }
    let format = match format {
        SqlFormat::Parquet => FileWriteFormat::Parquet(Arc::new(ParquetWriteOptions {
            compression: ParquetCompression::Zstd(None),
            row_group_size: Some(ROW_GROUP_ROWS),
            ..ParquetWriteOptions::default()
        })),
        SqlFormat::Ipc => FileWriteFormat::Ipc(IpcWriterOptions::default()),
    };
    let target = PlRefPath::try_from_path(to)?;
    let sink = SinkDestination::File { target: SinkTarget::Path(target.clone()) };
    let is_parquet = matches!(format, FileWriteFormat::Parquet(_));
    context.execute(query)?.sink(sink, format, UnifiedSinkArgs::default())?.collect_with_engine(Engine::Streaming)?;
    let written = match is_parquet {
        true => LazyFrame::scan_parquet(target, ScanArgsParquet::default())?,
        false => LazyFrame::scan_ipc(target, IpcScanOptions::default(), UnifiedScanArgs::default())?,
    };
    let count = written.select([len()]).collect()?;
    count.columns()[0].get(0)?.try_extract::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schemas() -> BTreeMap<String, SchemaRef> {
        let flights = Schema::from_iter([
            Field::new("carrier".into(), DataType::String),
            Field::new("delay".into(), DataType::Int64),
            Field::new("air".into(), DataType::Float64),
            Field::new("at".into(), DataType::Datetime(TimeUnit::Milliseconds, None)),
        ]);
        let names = Schema::from_iter([
            Field::new("code".into(), DataType::String),
            Field::new("name".into(), DataType::String),
        ]);
        BTreeMap::from([("flights".to_owned(), Arc::new(flights)), ("names".to_owned(), Arc::new(names))])
    }

    fn needs(query: &str) -> String {
        let found = inspect(query, &schemas()).unwrap();
        let of = |name: &str| {
            let needs = &found[name];
            let predicate = needs.predicate.as_ref().map(|predicate| format!(" if {predicate}"));
            format!("{}{}", needs.columns.join(","), predicate.unwrap_or_default())
        };
        format!("{} | {}", of("flights"), of("names"))
    }

    #[test]
    fn tables_are_named_once_without_those_of_the_query() {
        let found = |query: &str| tables(query).unwrap();
        assert_eq!(found("SELECT * FROM a JOIN b ON a.x = b.x JOIN a c ON c.x = b.x"), ["a", "b"]);
        assert_eq!(found("WITH t AS (SELECT * FROM a) SELECT * FROM t WHERE x IN (SELECT x FROM b)"), ["a", "b"]);
        assert_eq!(found("SELECT 1"), [""; 0]);
    }

    #[test]
    fn syntax_errors_name_the_word() {
        let problem = tables("SELECT a\nFROM b WHERE\nGROUP GROUP c").unwrap_err();
        assert_eq!(problem.word, Some(("GROUP".to_owned(), 1)), "{problem:?}");
        let problem = tables("SELECT a FROM b; SELECT a FROM c").unwrap_err();
        assert_eq!(problem.message, "expected one query, found 2");
        let problem = tables("DROP TABLE b").unwrap_err();
        assert_eq!(
            (problem.message.as_str(), problem.word),
            ("expected a query that selects rows", Some(("DROP".to_owned(), 0)))
        );
    }

    #[test]
    fn only_the_columns_and_rows_that_matter_are_needed() {
        assert_eq!(needs("SELECT carrier FROM flights"), "carrier | code,name");
        assert_eq!(
            needs("SELECT f.carrier, n.name FROM flights f LEFT JOIN names n ON f.carrier = n.code WHERE f.delay > 15"),
            "carrier,delay if [(col(\"delay\")) > (15)] | code,name"
        );
        assert_eq!(needs("SELECT COUNT(*) AS n FROM flights").split(' ').next(), Some("carrier"));
        // Two scans with different predicates: each needs its rows.
        let both = "SELECT delay FROM flights WHERE delay > 1 UNION ALL SELECT delay FROM flights WHERE air < 2.0";
        assert_eq!(needs(both).split(" |").next(), Some("delay,air"));
    }

    #[test]
    fn a_column_that_does_not_exist_is_the_word() {
        let problem = inspect("SELECT f.carier FROM flights f", &schemas()).unwrap_err();
        assert_eq!(problem.word, Some(("carier".to_owned(), 0)), "{problem:?}");
        let problem = inspect("SELECT AVERAGE(delay) FROM flights", &schemas()).unwrap_err();
        assert_eq!(problem.word, Some(("AVERAGE".to_owned(), 0)), "{problem:?}");
        let problem = inspect("SELECT delay FROM flights WHERE carier = 'UA'", &schemas()).unwrap_err();
        assert_eq!(problem.word, Some(("carier".to_owned(), 0)), "{problem:?}");
    }
}
