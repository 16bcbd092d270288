require "net/http"
require "securerandom"

uri = URI("#{ENV["HUB"]}/channels/foo/broadcast")
# All attempts have the same key, so the hub publishes the event once.
headers = { "Authorization" => "Bearer #{ENV["TOKEN"]}", "Idempotency-Key" => SecureRandom.uuid }

(0..).each do |attempt|
  begin
    response = Net::HTTP.post(uri, "foo=bar", headers)
    break puts response.body if response.is_a?(Net::HTTPOK)
    refused = response.code != "429" && response.code < "500"
  rescue SystemCallError, SocketError, IOError, Timeout::Error, OpenSSL::SSL::SSLError, Net::HTTPBadResponse => error
    response = nil
  end
  abort(response&.body || error.message) if refused || attempt == 5
  sleep 2**attempt
end
