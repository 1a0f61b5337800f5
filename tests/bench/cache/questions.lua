-- wrk's script: the questions of a file in turn, and one line of figures at the end.
local bodies = {}

function init(arguments)
  for line in io.lines(arguments[1]) do
    bodies[#bodies + 1] = wrk.format("POST", nil, {
      ["Authorization"] = "Bearer " .. arguments[2], ["Content-Type"] = "application/json",
    }, line)
  end
end

local number = 0

function request()
  number = number + 1
  return bodies[number % #bodies + 1]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "max_ms": %f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3, errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
