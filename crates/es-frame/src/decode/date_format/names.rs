//! The meaning of the built-in names of date formats.
//!
//! They are written in the letters of Java's patterns, with some more: `F` is a fraction of 1
//! to 9 digits, `@` a time zone or offset in any form, `j` the year of an ISO week, `w` its
//! number and `i` its day. A letter that stands once takes any number of digits that makes
//! sense.

/// The meaning of a built-in name.
pub(super) enum BuiltIn {
    /// ISO 8601, which is what dates mostly are.
    Iso(&'static str),
    Pattern(&'static str),
    /// It is not read, for this reason.
    Refused(&'static str),
}

const ISO: &str = "uuuu[-MM[-dd]]['T'[HH[:mm[:ss[.F][,F]]]][@]]";

/// The meaning of a name, or nothing if it is none.
pub(super) fn built_in(name: &str) -> Option<BuiltIn> {
    const LOCAL_WEEK: &str = "its weeks begin on a day that depends on the server's Java";
    Some(BuiltIn::Pattern(match name {
        "strict_date_optional_time" | "strict_date_optional_time_nanos" | "iso8601" => return Some(BuiltIn::Iso(ISO)),
        "date_optional_time" => "u[-M[-d]]['T'[H[:m[:s][.F][,F][@]]]]",
        "basic_date" => "uuuuMMdd",
        "basic_date_time" => "uuuuMMdd'T'HHmmss.F@",
        "basic_date_time_no_millis" => "uuuuMMdd'T'HHmmss@",
        "basic_ordinal_date" => "uuuuDDD",
        "basic_ordinal_date_time" => "uuuuDDD'T'HHmmss.F@",
        "basic_ordinal_date_time_no_millis" => "uuuuDDD'T'HHmmss@",
        "basic_time" => "HHmmss.F@",
        "basic_time_no_millis" => "HHmmss@",
        "basic_t_time" => "'T'HHmmss.F@",
        "basic_t_time_no_millis" => "'T'HHmmss@",
        "basic_week_date" | "strict_basic_week_date" => "j'W'wi",
        "basic_week_date_time" | "strict_basic_week_date_time" => "j'W'wi'T'HHmmss.F@",
        "basic_week_date_time_no_millis" | "strict_basic_week_date_time_no_millis" => "j'W'wi'T'HHmmss@",
        "date" => "u[-M[-d]]",
        "strict_date" => "uuuu-MM-dd",
        "date_hour" => "u[-M[-d]]'T'H",
        "strict_date_hour" => "uuuu-MM-dd'T'HH",
        "date_hour_minute" => "u[-M[-d]]'T'H:m",
        "strict_date_hour_minute" => "uuuu-MM-dd'T'HH:mm",
        "date_hour_minute_second" => "u[-M[-d]]'T'H:m:s",
        "strict_date_hour_minute_second" => "uuuu-MM-dd'T'HH:mm:ss",
        "date_hour_minute_second_fraction" | "date_hour_minute_second_millis" => "u[-M[-d]]'T'H:m:s.F",
        "strict_date_hour_minute_second_fraction" | "strict_date_hour_minute_second_millis" => {
            "uuuu[-MM[-dd]]'T'HH:mm:ss.F"
        }
        "date_time" => "u[-M[-d]]'T'H:m[:s.F]@",
        "strict_date_time" => "uuuu[-MM[-dd]]'T'HH:mm:ss[.F]@",
        "date_time_no_millis" => "u[-M[-d]]'T'H:m[:s][@]",
        "strict_date_time_no_millis" => "uuuu[-MM[-dd]]'T'HH:mm:ss@",
        "hour" => "H",
        "strict_hour" => "HH",
        "hour_minute" => "H:m",
        "strict_hour_minute" => "HH:mm",
        "hour_minute_second" => "H:m:s",
        "strict_hour_minute_second" => "HH:mm:ss",
        "hour_minute_second_fraction" | "hour_minute_second_millis" => "H:m:s.F",
        "strict_hour_minute_second_fraction" | "strict_hour_minute_second_millis" => "HH:mm:ss.F",
        "ordinal_date" => "uuuu-D",
        "strict_ordinal_date" => "uuuu-DDD",
        "ordinal_date_time" => "uuuu-D'T'H:m[:s.F]@",
        "strict_ordinal_date_time" => "uuuu-DDD'T'HH:mm:ss[.F]@",
        "ordinal_date_time_no_millis" => "uuuu-D'T'H:m:s@",
        "strict_ordinal_date_time_no_millis" => "uuuu-DDD'T'HH:mm:ss@",
        "time" => "H:m:s.F@",
        "strict_time" => "HH:mm:ss.F@",
        "time_no_millis" => "H:m:s@",
        "strict_time_no_millis" => "HH:mm:ss@",
        "t_time" => "'T'H:m:s.F@",
        "strict_t_time" => "'T'HH:mm:ss.F@",
        "t_time_no_millis" => "'T'H:m:s@",
        "strict_t_time_no_millis" => "'T'HH:mm:ss@",
        "week_date" | "strict_week_date" => "j-'W'w-i",
        "week_date_time" | "strict_week_date_time" => "j-'W'w-i'T'H:m:s.F@",
        "week_date_time_no_millis" | "strict_week_date_time_no_millis" => "j-'W'w-i'T'H:m:s@",
        "year" => "u",
        "strict_year" => "uuuu",
        "year_month" => "u-M",
        "strict_year_month" => "uuuu-MM",
        "year_month_day" => "u-M-d",
        "strict_year_month_day" => "uuuu[-MM[-dd]]",
        "weekyear"
        | "week_year"
        | "strict_weekyear"
        | "weekyear_week"
        | "strict_weekyear_week"
        | "weekyear_week_day"
        | "strict_weekyear_week_day" => return Some(BuiltIn::Refused(LOCAL_WEEK)),
        _ => return None,
    }))
}
