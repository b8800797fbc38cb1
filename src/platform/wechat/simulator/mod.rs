//! A WeChat server API on the loopback: a real HTTP server with WeChat's manners.
//!
//! It exists so that login, telephone numbers and messages can be developed and tested without an account,
//! over the same wire. Time and randomness are injected like everywhere else. `docs/WECHAT-SIMULATOR.md`
//! says what it does and how it is known to behave like the service.

mod answer;
mod api;
mod control;
mod pushing;
mod tokens;
mod values;
mod world;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use secrecy::SecretString;

use crate::clock::{SharedClock, ShiftedClock};
use crate::ids::Ids;

use answer::Refusal;
use api::{Call, ENDPOINTS};
pub use pushing::Callback;
use pushing::PushInput;
use world::{Fault, World};
pub use world::{openid_for, phone_for};

/// How the simulator behaves.
#[derive(Clone)]
pub struct SimulatorConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: String,
    /// The one mini-program that exists.
    pub appid: String,
    /// Its secret.
    pub secret: SecretString,
    /// Decides when codes, tokens and sessions end. Faults' delays are real time.
    pub clock: SharedClock,
    /// Makes codes, tokens, keys and request ids.
    pub ids: Ids,
    /// The message templates that exist; empty: every id does.
    pub templates: Vec<String>,
    /// The pages that are released, without leading slash; empty: every page is.
    pub pages: Vec<String>,
    /// What the second use of a login code is refused with: 40163, or 40029, which is seen too.
    pub reused_code_errcode: i64,
    /// Logins within this time of the last get the same session key.
    pub session_key_period: Duration,
    /// Where the verdict on a picture is pushed, at once and by itself: that nothing is wrong with it. None: where a control call says, when
    /// it says so.
    pub callback: Option<Callback>,
    /// The clock that `POST /sim/clock` moves: the whole process's, so that what takes days can be tried out. None: it is refused.
    pub movable: Option<Arc<ShiftedClock>>,
}

impl SimulatorConfig {
    /// The usual behaviour, on a free port of the loopback.
    pub fn new(appid: impl Into<String>, secret: SecretString, clock: SharedClock, ids: Ids) -> Self {
        Self {
            listen: "127.0.0.1:0".into(),
            appid: appid.into(),
            secret,
            clock,
            ids,
            templates: Vec::new(),
            pages: Vec::new(),
            reused_code_errcode: 40163,
            session_key_period: Duration::from_secs(300),
            callback: None,
            movable: None,
        }
    }

    fn knows_template(&self, id: &str) -> bool {
        !id.is_empty() && (self.templates.is_empty() || self.templates.iter().any(|known| known == id))
    }

    fn knows_page(&self, page: &str) -> bool {
        self.pages.is_empty() || self.pages.iter().any(|known| known == page)
    }
}

/// The simulator. See [`Simulator::start`].
pub struct Simulator;

impl Simulator {
    /// Starts a simulator inside the running actix system, on one worker thread. It ends with
    /// [`SimulatorHandle::stop`] or with the system.
    ///
    /// Fails where the address is taken or is not an address.
    pub fn start(config: SimulatorConfig) -> std::io::Result<SimulatorHandle> {
        let listen = config.listen.clone();
        let shared = Arc::new(Shared(Mutex::new(World::new(config))));
        let world = Arc::downgrade(&shared);
        let shared = web::Data::from(shared);
        let server =
            HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(serve)))
                .workers(1)
                .disable_signals()
                .keep_alive(Duration::from_secs(75))
                .shutdown_timeout(1)
                .bind(listen)?;
        let address = server.addrs().first().copied().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Ok(SimulatorHandle { address, world, server: handle })
    }
}

/// A running simulator. Dropping it does not stop the server.
#[derive(Clone)]
pub struct SimulatorHandle {
    address: SocketAddr,
    world: Weak<Shared>,
    server: actix_web::dev::ServerHandle,
}

impl SimulatorHandle {
    /// Where the simulator answers, such as `http://127.0.0.1:8090`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops and closes every connection: when this returns, nothing answers any more.
    pub async fn stop(&self) {
        self.server.stop(false).await;
        // The worker's thread ends a little later than its server, and holds the world until then.
        for _ in 0..500 {
            if self.world.strong_count() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

struct Shared(Mutex<World>);

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers every request. The body's Content-Type is not looked at: WeChat does not.
async fn serve(request: HttpRequest, body: web::Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    let path = request.path();
    if path == "/sim/pushes" && request.method() == Method::POST {
        return push(&shared, &body).await;
    }
    if path == "/sim" || path.starts_with("/sim/") {
        let base = format!("http://{}", request.connection_info().host());
        return control::respond(&mut shared.world(), request.method(), path, &query, &body, &base);
    }
    let Some(endpoint) = ENDPOINTS.iter().find(|endpoint| endpoint.path == path) else {
        return answer::respond(Err(40066.into()), &shared.world().rid(), false);
    };
    let (response, delay) = {
        let mut world = shared.world();
        let rid = world.rid();
        let fault = world.strike(path);
        let delay = fault.as_ref().and_then(Fault::delay);
        let response = match fault.and_then(|fault| broken(&fault, &rid, endpoint.plain)) {
            Some(response) => response,
            None => {
                let call = Call { query, body: &body };
                let is_post = request.method() == Method::POST;
                answer::respond(api::answer(&mut world, endpoint, is_post, &call), &rid, endpoint.plain)
            }
        };
        (response, delay)
    };
    push_by_itself(&shared, path);
    // The work is done before the wait: a caller who gives up has used up its code, as in real life.
    if let Some(delay) = delay {
        tokio::time::sleep(delay).await;
    }
    response
}

/// Pushes what a control call wants to be pushed, and says how that was answered.
async fn push(shared: &Shared, body: &[u8]) -> HttpResponse {
    let letter = serde_json::from_slice::<PushInput>(body)
        .map_err(|error| format!("JSON 请求体有误 · bad JSON body: {error}"))
        .and_then(|input| {
            pushing::letter(&shared.world(), &input).ok_or_else(|| {
                "先用 /sim/callback 设置回调 · set a callback first, by /sim/callback".to_owned()
            })
        });
    let letter = match letter {
        Ok(letter) => letter,
        Err(error) => return HttpResponse::BadRequest().json(serde_json::json!({ "error": error })),
    };
    match pushing::send(letter).await {
        Ok((status, answer)) => {
            HttpResponse::Ok().json(serde_json::json!({ "status": status, "answer": answer }))
        }
        Err(error) => HttpResponse::Ok().json(serde_json::json!({ "status": 0, "answer": error })),
    }
}

/// Where the simulator was started with a callback, a picture is found fine a moment after it was asked about.
fn push_by_itself(shared: &Shared, path: &str) {
    let letter = {
        let world = shared.world();
        let asked = path == api::MEDIA_CHECK && world.config.callback.is_some();
        let last =
            world.media.back().filter(|_| asked).map(|media| PushInput::passing(media.trace_id.clone()));
        last.and_then(|input| pushing::letter(&world, &input))
    };
    let Some(letter) = letter else { return };
    actix_web::rt::spawn(async move {
        // The caller has to know its trace first.
        tokio::time::sleep(Duration::from_secs(1)).await;
        if let Err(error) = pushing::send(letter).await {
            tracing::debug!(error, "the simulated push reached nobody");
        }
    });
}

/// The answer of a fault that replaces the work.
fn broken(fault: &Fault, rid: &str, plain: bool) -> Option<HttpResponse> {
    if let Some(status) = fault.status {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        return Some(HttpResponse::build(status).content_type("text/html").body("<html>fault</html>"));
    }
    if fault.garbage {
        return Some(
            HttpResponse::Ok().content_type("application/json").body("{\"openid\": \u{fffd}<garbage"),
        );
    }
    fault.errcode.map(|errcode| answer::respond(Err(Refusal::from(errcode)), rid, plain))
}
