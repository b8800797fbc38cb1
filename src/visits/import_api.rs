//! The import of a hospital's list over HTTP.

use actix_web::web::Data;
use actix_web::{HttpRequest, post};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::importing::{self, Done, Outcome, Taking};
use super::list::{self, COLUMNS, List};
use crate::clock::civil_day;
use crate::error::{Error, Fault, Result, Text};
use crate::ids::{InjuryId, OrganisationId};
use crate::offering::imports::api::CellProblem;
use crate::offering::imports::columns::{CellFault, layout_of};
use crate::offering::imports::sheet::{self, SheetFile};
use crate::org;
use crate::org::model::Organisation;
use crate::platform::Platform;
use crate::platform::access::policy::InjuryImport;
use crate::platform::access::{Guard, Scope};
use crate::platform::audit;
use crate::platform::db::Conn;
use crate::platform::http::problem::Language;
use crate::platform::http::{ApiQuery, IdempotentFile, Stored};

/// Whose list it is, and how to take it in.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InjuryImportQuery {
    /// Who looks after the injured whose employer is not in one's own subtree; in it itself.
    #[param(inline)]
    pub organisation: OrganisationId,
    /// Only look, and say what would be done.
    #[param(default = false)]
    pub dry_run: Option<bool>,
}

crate::text_enum! {
    /// What became of somebody on a list.
    pub enum InjuryRowState {
        /// An injury is made, or would be.
        Create = "create",
        /// This injury of this person is there already.
        Known = "known",
        /// Something is wrong with the row.
        Error = "error",
    }
}

/// What became of a row.
#[derive(Debug, Serialize, ToSchema)]
pub struct InjuryRowVerdict {
    /// As the sheet numbers it; the header is usually 1.
    #[schema(minimum = 1, maximum = 4_294_967_295_i64)]
    pub row: u32,
    /// What became of it.
    pub state: InjuryRowState,
    /// The injury: of a written list, or a known one that one may see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub injury_id: Option<InjuryId>,
    /// The employer, where the union tree has it; otherwise it stays words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub employer_id: Option<OrganisationId>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 1000)]
    pub errors: Vec<CellProblem>,
}

/// What became of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct InjuryImportReport {
    /// Whether anything was written: neither on a dry run, nor when any row is wrong.
    pub written: bool,
    /// Injuries that were made, or would be.
    #[schema(minimum = 0, maximum = 500)]
    pub create: usize,
    /// Rows whose injury is there already.
    #[schema(minimum = 0, maximum = 500)]
    pub known: usize,
    /// Rows that are wrong.
    #[schema(minimum = 0, maximum = 500)]
    pub error: usize,
    /// Every row, in order.
    #[schema(max_items = 500)]
    pub rows: Vec<InjuryRowVerdict>,
}

impl InjuryImportReport {
    fn new(list: &List, done: Done, written: bool, language: Language) -> Self {
        let Done { outcomes, employers, mut faults, .. } = done;
        let problem = |fault: CellFault| CellProblem {
            column: fault.column,
            code: fault.code,
            detail: language.pick(&fault.detail).chars().take(2000).collect(),
        };
        let rows: Vec<InjuryRowVerdict> = list
            .rows
            .iter()
            .map(|row| {
                let wrong = faults.remove(row).unwrap_or_default();
                let (state, injury_id) = match outcomes.get(row) {
                    _ if !wrong.is_empty() => (InjuryRowState::Error, None),
                    Some(Outcome::Created(id)) => (InjuryRowState::Create, Some(*id).filter(|_| written)),
                    // What a row above makes is not there unless it is written.
                    Some(Outcome::Known { id, here }) => {
                        (InjuryRowState::Known, id.filter(|_| written || !here))
                    }
                    None => (InjuryRowState::Error, None),
                };
                InjuryRowVerdict {
                    row: *row,
                    state,
                    injury_id,
                    employer_id: employers.get(row).copied(),
                    errors: wrong.into_iter().map(problem).collect(),
                }
            })
            .collect();
        let count = |state: InjuryRowState| rows.iter().filter(|row| row.state == state).count();
        Self {
            written,
            create: count(InjuryRowState::Create),
            known: count(InjuryRowState::Known),
            error: count(InjuryRowState::Error),
            rows,
        }
    }
}

/// A hospital's list.
pub struct HospitalList;

impl PartialSchema for HospitalList {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
            .description(Some("A list of at most 2 MiB, 500 rows and 64 columns"))
            .max_length(Some(2 << 20))
            .into()
    }
}

impl ToSchema for HospitalList {
    fn name() -> std::borrow::Cow<'static, str> {
        "HospitalList".into()
    }
}

/// Import a hospital's list of the injured / 导入医院工伤职工名单
///
/// CSV (UTF-8 or GB18030) or the first visible sheet of an XLSX workbook. All rows are taken in or none: where any row is wrong,
/// nothing is written and `written` is false. People are found by number and name, and made where nobody is found. An injury is one
/// person and one day: a row that comes twice, or again in a later list, is `known` and changes nothing. The answer names nobody.
///
/// | column | header | what |
/// | --- | --- | --- |
/// | `name` * | 姓名, 职工姓名, 患者姓名 | |
/// | `phone` * | 手机号, 手机号码, 联系电话, 电话 | of the Chinese mainland |
/// | `shared_phone` | 号码共用 | 是 or yes: several people have this number |
/// | `employer` | 用人单位, 工作单位, 单位, 单位名称 | code or name in the union tree; any other text stays a text |
/// | `hospital` * | 医院, 就诊医院, 收治医院 | |
/// | `injured_on` * | 受伤日期, 受伤时间, 事故日期 | `2025-06-01`, `2025年6月1日`, or a date cell |
/// | `admitted_on` * | 入院日期, 入院时间, 住院日期 | as above |
/// | `injury` * | 伤情, 受伤部位, 诊断, 伤情诊断 | part and kind |
///
/// Columns with * must be there, in any order. Codes of cells: those of fields, and `name_differs` (the number is registered with
/// another name), `ambiguous` (several organisations have this name), `future`, `past`.
#[utoipa::path(
    tag = "visits", operation_id = "injury_import", security(("bearer" = ["injury:import"])),
    params(InjuryImportQuery,
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body(content(
        (HospitalList = "text/csv"),
        (HospitalList = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    )),
    responses((status = 200, description = "What became of every row", body = InjuryImportReport)),
)]
#[post("/api/v1/injury-imports")]
pub async fn injury_import(
    platform: Data<Platform>,
    guard: Guard<InjuryImport>,
    request: HttpRequest,
    query: ApiQuery<InjuryImportQuery>,
    file: IdempotentFile<SheetFile>,
) -> Result<Stored> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (ids, vault) = (platform.ids.clone(), platform.vault.clone());
    let (language, dry_run) = (Language::of(request.headers()), query.0.dry_run.unwrap_or(false));
    let list = read(file.media, file.bytes.to_vec(), civil_day(now)).await?;
    let act = move |c: &mut Conn| {
        let organisation = whose(c, query.0.organisation, &scope)?;
        let taking =
            Taking { organisation: &organisation, scope: &scope, actor, now, ids: &ids, vault: &vault };
        let mut done = importing::take_in_tx(c, &taking, &list)?;
        let written = !dry_run && done.faults.is_empty();
        let entries = std::mem::take(&mut done.entries);
        let report = InjuryImportReport::new(&list, done, written, language);
        if written {
            audit::append_in_tx(c, now, entries)?;
            return Stored::done(0, &report);
        }
        // What is wrong is no refusal: the verdicts are the answer.
        Stored::undone(&report)
    };
    platform.idempotency.run(actor, file.key, act).await
}

/// Whose list it is: one that one may not know of does not exist.
fn whose(conn: &mut Conn, id: OrganisationId, scope: &Scope) -> Result<Organisation> {
    let found = org::store::all(conn)?.remove(&id).filter(|found| scope.covers(&found.path));
    found.ok_or_else(|| {
        let text = Text::new("没有这个组织，或不在您的权限范围内", "no such organisation in your scope");
        Error::invalid(vec![Fault::new("/query/organisation", "unknown", text)])
    })
}

/// Reads the list off the async threads: unpacking it takes a while.
async fn read(media: &'static str, bytes: Vec<u8>, today: NaiveDate) -> Result<List> {
    let work = tokio::task::spawn_blocking(move || {
        let lines = sheet::read(media, &bytes)?;
        let (header, rows) = lines.split_first().ok_or_else(|| Error::internal("an empty sheet was read"))?;
        Ok(list::read(&layout_of(COLUMNS, header)?, rows, today))
    });
    work.await.unwrap_or_else(|panic| {
        // The reader of workbooks stumbled over one that nobody's program has written.
        tracing::warn!(%panic, "a list could not be read");
        let text = Text::new("无法读取", "cannot be read");
        Err(Error::invalid(vec![Fault::new("", "unreadable", text)]))
    })
}
