//! Rows of the union tree.

use chrono::NaiveDate;
use diesel::prelude::*;

use crate::ids::OrganisationId;
use crate::platform::db::schema::organisations;

crate::text_enum! {
    /// What a node of the union tree is.
    pub enum OrganisationKind {
        /// 区总工会
        District = "district",
        /// 部室
        Department = "department",
        /// 街道总工会
        SubDistrict = "sub_district",
        /// 行业工会
        IndustryUnion = "industry_union",
        /// 直管工会
        DirectUnion = "direct_union",
        /// 服务驿站
        Station = "station",
        /// 企业工会
        EnterpriseUnion = "enterprise_union",
    }
}

/// A node of the union tree.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, Identifiable, AsChangeset)]
#[diesel(table_name = organisations, treat_none_as_null = true)]
pub struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// Stable, lower-case ASCII, such as `street-pinghu`.
    pub code: String,
    /// Full name.
    pub name: String,
    /// Short name for tables.
    pub short_name: String,
    /// What it is.
    pub kind: OrganisationKind,
    /// The node above; none for the district.
    pub parent_id: Option<OrganisationId>,
    /// Codes from the root, such as `/longgang/street-pinghu/`.
    pub path: String,
    /// The sub-district it belongs to.
    pub street_id: Option<OrganisationId>,
    /// Nine-digit code of the sub-district.
    pub division_code: Option<String>,
    /// Of a station: `district`, `city` and so on.
    pub level: Option<String>,
    /// First day.
    pub opened_on: NaiveDate,
    /// Last day.
    pub closed_on: Option<NaiveDate>,
    /// Counts changes.
    pub version: i64,
}

crate::text_enum! {
    /// How high a body ranks, lowest first: "市级以上" is `>= Level::City`.
    pub enum Level {
        /// 基层.
        Grassroots = "grassroots",
        /// 街道级.
        SubDistrict = "sub_district",
        /// 区级.
        District = "district",
        /// 市级.
        City = "city",
        /// 省级.
        Provincial = "provincial",
        /// 国家级.
        National = "national",
    }
}
