-- wrk sends what an HTTP server would answer, so an echo server is one. The first request of the first thread is
-- only looked at by wrk, which insists on a real one.
local threads = 0

function setup(thread)
    threads = threads + 1
    thread:set("looked_at", threads > 1)
end

function request()
    if looked_at then
        return "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n0123456789abcdef"
    end
    looked_at = true
    return "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
end

-- wrk does not look at bodies; this does.
function response(status, headers, body)
    if status ~= 200 or body ~= "0123456789abcdef" then
        print("wrong answer: " .. status .. " " .. body)
    end
end
