// A yardstick in the style of a monitoring mixin: 150 alerts made by functions over a configuration and merged
// with their runbooks. It is written for this bench and runs nowhere.
local config = {
  selector: 'job=~"inference-.*"',
  interval: '5m',
  runbooks: 'https://runbooks.example.com/llm/',
  teams: ['platform', 'search', 'documents', 'support', 'research'],
  signals: [
    'time_to_first_token_seconds', 'inter_token_latency_seconds', 'request_latency_seconds',
    'queue_time_seconds', 'prefill_time_seconds', 'decode_time_seconds',
  ],
  quantiles: [{ q: 0.5, severity: 'info' }, { q: 0.9, severity: 'info' }, { q: 0.95, severity: 'ticket' }, { q: 0.99, severity: 'page' }],
};

local camel(name) = std.join('', [
  std.asciiUpper(word[0]) + word[1:]
  for word in std.split(name, '_')
]);

local latency(team, signal, quantile, limit) = {
  alert: camel(team) + camel(signal) + 'P' + quantile.q * 100 + 'High',
  expr: |||
    histogram_quantile(%(q)g, sum by (le, pool) (rate(llm_%(signal)s_bucket{%(selector)s, team="%(team)s"}[%(interval)s])))
      > %(limit)g
  ||| % config { q: quantile.q, signal: signal, team: team, limit: limit },
  'for': '10m',
  labels: { severity: quantile.severity, team: team },
  annotations: {
    summary: 'Requests are answered late in pool {{ $labels.pool }}',
    description: 'p%d of %s is {{ $value | humanizeDuration }}, and the limit is %g s.' % [quantile.q * 100, signal, limit],
  },
};

local missing(team, signal) = {
  alert: camel(team) + camel(signal) + 'Missing',
  expr: 'absent_over_time(llm_%s_count{%s, team="%s"}[%s])' % [signal, config.selector, team, config.interval],
  'for': '15m',
  labels: { severity: 'ticket', team: team },
  annotations: {
    summary: 'A latency signal has no data',
    description: 'Nothing of %s was scraped for team %s.' % [signal, team],
  },
};

local withRunbook(rule) = rule {
  annotations+: { runbook_url: config.runbooks + std.asciiLower(rule.alert) },
};

local groups = [
  {
    name: 'llm-' + team,
    rules: std.map(withRunbook, [
      latency(team, signal, quantile, 0.25 * std.pow(2, std.length(signal) % 5))
      for signal in config.signals
      for quantile in config.quantiles
    ] + [missing(team, signal) for signal in config.signals]),
  }
  for team in config.teams
];

{ groups: groups }
