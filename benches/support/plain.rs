//! The reference for answers from memory: a plain JSON handler in the same framework, without any layer, in a process of its
//! own.

use std::net::SocketAddr;
use std::process::{Child, Command};

use actix_web::{App, HttpResponse, HttpServer, web};

use super::site::free_address;

const ADDRESS: &str = "UNIONHALL_BENCH_PLAIN_ADDRESS";
const SIZE: &str = "UNIONHALL_BENCH_PLAIN_SIZE";

/// The server; gone when dropped.
pub struct Plain {
    child: Child,
    pub address: SocketAddr,
}

impl Plain {
    /// Answers every request with `size` bytes of JSON.
    pub fn start(size: usize) -> Self {
        let address = free_address();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(ADDRESS, address.to_string()).env(SIZE, size.to_string());
        let child = command.spawn().unwrap();
        super::site::wait_for(address);
        Self { child, address }
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Serves, if this process was started by [`Plain::start`].
pub fn serve_if_asked() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let size: usize = std::env::var(SIZE).unwrap().parse().unwrap();
    #[derive(serde::Serialize, Clone)]
    struct Body {
        items: Vec<String>,
    }
    let mut body = Body { items: Vec::new() };
    while serde_json::to_vec(&body).unwrap().len() + 3 < size {
        let missing = size - serde_json::to_vec(&body).unwrap().len() - 3;
        body.items.push("x".repeat(missing.min(60)));
    }
    let system = actix_web::rt::System::new();
    let server = HttpServer::new(move || {
        let body = body.clone();
        // Reading what was sent, as a handler of a POST does.
        let answer = move |_: web::Bytes| {
            let body = body.clone();
            async move { HttpResponse::Ok().json(&body) }
        };
        App::new().default_service(web::to(answer))
    });
    system.block_on(server.bind(address).unwrap().workers(2).run()).unwrap();
    std::process::exit(0);
}
