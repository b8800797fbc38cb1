//! Enumerations that are TEXT with a CHECK in the database and a string in JSON.

/// An enumeration whose values have names.
pub trait Named: Copy + 'static {
    /// The first value.
    const FIRST: Self;
    /// All values, in order.
    const ALL: &'static [Self];
    /// The name in files, database and API.
    fn as_str(self) -> &'static str;
}

/// Defines an enumeration by its texts. The texts are the database's, JSON's and the API's alike.
///
/// ```ignore
/// text_enum! {
///     /// Life of a sign-up.
///     pub enum SignupState { Confirmed = "confirmed", Cancelled = "cancelled" }
/// }
/// ```
#[macro_export]
macro_rules! text_enum {
    ($(#[doc = $doc:literal])* pub enum $name:ident {
        $(#[$fdoc:meta])* $first:ident = $ftext:literal
        $(, $(#[$vdoc:meta])* $variant:ident = $text:literal)* $(,)?
    }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
                 diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]
        #[diesel(sql_type = diesel::sql_types::Text)]
        pub enum $name {
            $(#[$fdoc])* #[serde(rename = $ftext)] $first
            $(, $(#[$vdoc])* #[serde(rename = $text)] $variant)*
        }

        impl $crate::platform::db::enums::Named for $name {
            const FIRST: Self = $name::$first;
            const ALL: &'static [Self] = $name::ALL;
            fn as_str(self) -> &'static str {
                $name::as_str(self)
            }
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [$name] = &[$name::$first $(, $name::$variant)*];

            /// The text of this value.
            pub fn as_str(self) -> &'static str {
                match self {
                    $name::$first => $ftext,
                    $($name::$variant => $text,)*
                }
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::schema::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some(concat!($($doc, "\n"),*).trim()))
                    .enum_values(Some([$ftext $(, $text)*]))
                    .examples([serde_json::json!($ftext)])
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($name))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $ftext => Ok($name::$first),
                    $($text => Ok($name::$variant),)*
                    other => Err(format!("{other:?} is none of {}", [$ftext $(, $text)*].join(", "))),
                }
            }
        }

        impl<DB> diesel::serialize::ToSql<diesel::sql_types::Text, DB> for $name
        where
            DB: diesel::backend::Backend,
            str: diesel::serialize::ToSql<diesel::sql_types::Text, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, DB>) -> diesel::serialize::Result {
                <str as diesel::serialize::ToSql<diesel::sql_types::Text, DB>>::to_sql(self.as_str(), out)
            }
        }

        impl<DB> diesel::deserialize::FromSql<diesel::sql_types::Text, DB> for $name
        where
            DB: diesel::backend::Backend,
            String: diesel::deserialize::FromSql<diesel::sql_types::Text, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
                let text = <String as diesel::deserialize::FromSql<diesel::sql_types::Text, DB>>::from_sql(bytes)?;
                text.parse().map_err(Into::into)
            }
        }
    };
}
