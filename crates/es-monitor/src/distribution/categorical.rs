//! Counts of the values of a field by category.

/// The documents of one window by category.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Categorical {
    /// The categories with the number of documents of each, in the same order in both windows.
    pub categories: Vec<(String, u64)>,
    /// Documents with a value that is none of the categories.
    pub other: u64,
    /// Documents without a value.
    pub missing: u64,
    /// The largest number of documents that the counts of the categories may lack in all.
    pub count_error: u64,
}

impl Categorical {
    /// Counts `values` by `categories`; `None` is a missing value.
    ///
    /// ```
    /// use es_monitor::distribution::Categorical;
    /// let flights = Categorical::of_values(["UA", "B6"], [Some("UA"), Some("9E"), None, Some("UA")]);
    /// assert_eq!(flights.counts(), [2, 0, 1]);
    /// assert_eq!(flights.missing, 1);
    /// ```
    pub fn of_values<'a>(
        categories: impl IntoIterator<Item = &'a str>,
        values: impl IntoIterator<Item = Option<&'a str>>,
    ) -> Self {
        let mut counted = Self {
            categories: categories.into_iter().map(|category| (category.to_owned(), 0)).collect(),
            ..Self::default()
        };
        for value in values {
            match value {
                None => counted.missing += 1,
                Some(value) => match counted.categories.iter_mut().find(|(category, _)| category == value) {
                    Some((_, count)) => *count += 1,
                    None => counted.other += 1,
                },
            }
        }
        counted
    }

    /// The counts of the categories, and of the others last.
    pub fn counts(&self) -> Vec<u64> {
        self.categories.iter().map(|(_, count)| *count).chain([self.other]).collect()
    }

    /// Documents with a value.
    pub fn values(&self) -> u64 {
        self.counts().iter().sum()
    }
}
