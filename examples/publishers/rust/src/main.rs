use std::env::var;
use std::thread::sleep;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = format!("{}/channels/foo/broadcast", var("HUB")?);
    let authorization = format!("Bearer {}", var("TOKEN")?);
    // All attempts have the same key, so the hub publishes the event once.
    let key = uuid::Uuid::new_v4().to_string();
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10)));
    let agent = ureq::Agent::new_with_config(config.build());

    for attempt in 0.. {
        let request = agent
            .post(&url)
            .header("Authorization", &authorization)
            .header("Idempotency-Key", &key);
        let answer = request
            .send("foo=bar")
            .and_then(|mut response| response.body_mut().read_to_string());
        match answer {
            Ok(receipt) => {
                println!("{receipt}");
                break;
            }
            Err(ureq::Error::StatusCode(status)) if status != 429 && status < 500 => {
                return Err(format!("the hub refuses: status {status}").into());
            }
            Err(error) if attempt == 5 => return Err(error.into()),
            Err(_) => sleep(Duration::from_secs(1 << attempt)),
        }
    }
    Ok(())
}
