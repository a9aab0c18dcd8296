//! A page of rows on its way through the model.

use es_bulk::RefusedRow;
use polars::prelude::{
    BooleanChunked, Column, DataFrame, IdxCa, IdxSize, NewChunkedArray as _, PlSmallStr, PolarsResult, Schema,
};

/// Rows on their way to the model.
pub(super) struct Page {
    /// The rows with their features.
    pub(super) joined: DataFrame,
    /// The same rows as the model is given them.
    pub(super) encoded: DataFrame,
    /// The rows that are rejected.
    pub(super) refused: Vec<RefusedRow>,
    earlier: Option<EarlierAnswers>,
}

/// Earlier predictions of rows of a page.
struct EarlierAnswers {
    /// The predictions.
    frame: DataFrame,
    /// Of each row of the page, the row of `frame` that answers it.
    places: Vec<Option<IdxSize>>,
}

impl Page {
    pub(super) fn new(joined: DataFrame, encoded: DataFrame) -> Self {
        Self { joined, encoded, refused: Vec::new(), earlier: None }
    }

    /// Keeps the rows that are marked.
    pub(super) fn keep(&mut self, which: &[bool]) -> PolarsResult<()> {
        let mask = mask(which);
        self.joined = self.joined.filter(&mask)?;
        self.encoded = self.encoded.filter(&mask)?;
        if let Some(earlier) = &mut self.earlier {
            let mut kept = which.iter();
            earlier.places.retain(|_| kept.next() == Some(&true));
        }
        Ok(())
    }

    /// Takes earlier predictions as the answers of the rows that have a place among them.
    pub(super) fn answer(&mut self, frame: DataFrame, places: Vec<Option<IdxSize>>) {
        self.earlier = Some(EarlierAnswers { frame, places });
    }

    /// The rows that the model is still to answer, by their number.
    pub(super) fn waiting(&self) -> Vec<usize> {
        match &self.earlier {
            None => (0..self.joined.height()).collect(),
            Some(earlier) => {
                (0..).zip(&earlier.places).filter(|(_, place)| place.is_none()).map(|(row, _)| row).collect()
            }
        }
    }

    /// The rows that the model is still to answer, as it is given them.
    pub(super) fn unanswered(&self) -> PolarsResult<DataFrame> {
        match &self.earlier {
            None => Ok(self.encoded.clone()),
            Some(earlier) => {
                let waits: Vec<bool> = earlier.places.iter().map(Option::is_none).collect();
                self.encoded.filter(&mask(&waits))
            }
        }
    }

    /// The answers of the rows in their order: those of the model, which has answered every row that waited, and
    /// earlier ones.
    pub(super) fn answers(&self, of_model: DataFrame, schema: &Schema) -> PolarsResult<DataFrame> {
        let Some(earlier) = &self.earlier else { return Ok(of_model) };
        let columns = schema.iter().map(|(name, dtype)| earlier.frame.column(name)?.strict_cast(dtype));
        let columns: Vec<Column> = columns.collect::<PolarsResult<_>>()?;
        let all = of_model.vstack(&DataFrame::new(earlier.frame.height(), columns)?)?;
        let first = of_model.height() as IdxSize;
        let mut of_model = 0..first;
        let places = earlier.places.iter().map(|place| match place {
            Some(place) => Some(first + place),
            None => of_model.next(),
        });
        all.take(&IdxCa::from_iter_options(PlSmallStr::EMPTY, places))
    }
}

fn mask(which: &[bool]) -> BooleanChunked {
    BooleanChunked::from_slice(PlSmallStr::EMPTY, which)
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;

    use super::*;

    #[test]
    fn answers_of_the_model_and_earlier_ones_come_in_the_order_of_the_rows() {
        let rows = df!("n" => [0, 1, 2, 3, 4]).unwrap();
        let mut page = Page::new(rows.clone(), rows);
        let earlier = df!("other" => ["x", "y"], "p" => [40.0_f64, 10.0]).unwrap();
        page.answer(earlier, vec![None, Some(1), None, None, Some(0)]);
        assert_eq!(page.waiting(), [0, 2, 3]);
        assert_eq!(page.unanswered().unwrap(), df!("n" => [0, 2, 3]).unwrap());
        // The model refuses row 2.
        page.keep(&[true, true, false, true, true]).unwrap();
        let of_model = df!("p" => [0.0_f32, 30.0]).unwrap();
        let schema = of_model.schema().as_ref().clone();
        let answers = page.answers(of_model, &schema).unwrap();
        assert_eq!(answers, df!("p" => [0.0_f32, 10.0, 30.0, 40.0]).unwrap());
        assert_eq!(page.joined.height(), 4);
    }
}
