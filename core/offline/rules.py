"""The rules that find signals: which words make a sentence a candidate, how strong a candidate it is, and how to say why.

A rule is looked up by its ``keys`` (whole lower-case words of the sentence), then its ``pattern`` has to match. Slots in
``reasons``: ``{who}`` the actor, ``{what}`` the pattern's own words, ``{figure}`` the leading amount, ``{topic}`` the subject.
"""

import re
from dataclasses import dataclass

from core.agents.outputs import SignalKind, Timeframe


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    kind: SignalKind
    keys: frozenset[str]
    pattern: re.Pattern[str]
    strength: float
    timeframe: Timeframe
    reasons: tuple[str, ...]
    implications: tuple[str, ...]
    category: str = ""
    needs_amount: bool = False
    needs_actor: bool = False


_PERIOD = r"(?:since|in (?:over |more than |nearly |almost )?(?:a |an |the last |the past )?(?:\w+|\d+)(?:[ -]and[ -]a[ -]half)?[ -](?:years?|months?|weeks?|decades?)|ever|on record|in history|to date|in its history)"


def _rule(
    name: str, kind: SignalKind, keys: str, pattern: str, strength: float, timeframe: Timeframe, reasons: tuple[str, ...], implications: tuple[str, ...], **more: object
) -> Rule:
    return Rule(name, kind, frozenset(keys.split()), re.compile(pattern, re.IGNORECASE), strength, timeframe, reasons, implications, **more)  # type: ignore[arg-type]


_WEAK, _ANOMALY, _GAP, _EDGE = SignalKind.WEAK_SIGNAL, SignalKind.PATTERN_ANOMALY, SignalKind.NARRATIVE_GAP, SignalKind.EDGE_INDICATOR
_NOW, _SHORT, _MEDIUM, _LONG = Timeframe.IMMEDIATE, Timeframe.SHORT_TERM, Timeframe.MEDIUM_TERM, Timeframe.LONG_TERM

RULES: tuple[Rule, ...] = (
    _rule(
        "superlative", _ANOMALY, "highest lowest largest biggest steepest fastest sharpest longest worst strongest weakest deepest most",
        rf"(?<!one of the )(?<!among the )(?<!than the )\b(?P<what>(?:highest|lowest|largest|biggest|steepest|fastest|sharpest|longest|worst|strongest|weakest|deepest)\b[^.;:()“”]{{0,70}}?\b{_PERIOD}\b(?: (?:early |late |mid-?)?(?:[A-Z][a-z]+ )?(?:\d{{4}}|\d{{1,2}}, \d{{4}})|\s[A-Z][a-z]+)?)",
        0.56, _SHORT,
        ("By the article's own comparison this is the {what}, outside the range that {topic} has kept.", "The yardstick given is the {what}: {topic} has left its recent range."),
        ("An extreme in {topic} tends either to mark a turn or to open a new range; the next reading for {who} will tell which.",
         "If the next figure for {who} holds near this one, the old range for {topic} is no longer a guide."),
    ),
    _rule(
        "record", _ANOMALY, "record records record-high record-breaking unprecedented all-time",
        r"\b(?P<what>record(?:-breaking|-setting|-high|-low)? (?!date|of|label|keep)(?:[a-z-]+ ?){1,4}|(?:new |fresh |a )record\b|unprecedented (?:[a-z-]+ ?){1,3}|all-time (?:high|low) (?:in|of|for) (?!\$|price|around)(?:[a-z-]+ ?){1,3})",
        0.42, _SHORT,
        ("{figure_or_what} stands outside anything the article compares it with.", "The article treats this as a record, so past readings for {who} say little about what follows."),
        ("Records in {topic} draw followers and scrutiny alike; watch whether {who} repeats it.",),
    ),
    _rule(
        "first_since", _ANOMALY, "first second",
        r"\b(?P<what>(?:for the )?first (?:[a-z-]+ ){0,4}(?:since (?:[A-Z][a-z]+ )?(?:\d{4}|[A-Z][a-z]+)|in (?:over |more than |nearly |almost )?(?:\d+|\w+) (?:years?|months?|weeks?|days|decades?)))\b",
        0.52, _SHORT,
        ("A run has ended: this is the {what_short}.", "Nothing of the kind was seen for a while; the article puts it as the {what_short}."),
        ("When a long run in {topic} ends, positions built on it are often unwound; {who} is where it would show first.",),
    ),
    _rule(
        "divergence", _ANOMALY, "despite even although though whereas defying notwithstanding",
        r"(?P<what>\b(?:despite|in spite of|notwithstanding|defying)\b (?:the |a |an |its |their |being |having )?[^,.;“”]{8,110}|\beven (?:as|though) [^,.;“”]{12,110}|\b(?:although|whereas) [^,.;“”]{12,120})",
        0.40, _SHORT,
        ("Two things that usually move together part here; the counterweight is “{what_short}”.", "The pull the other way is “{what_short}”, which would normally have won."),
        ("A gap of this sort in {topic} rarely lasts: either {who} gives way or the other side does.", "Find out which of the two leads; the lagging one is the trade, or the story."),
    ),
    _rule(
        "unusual", _ANOMALY, "unusual unusually anomaly anomalies anomalous unexpected unexpectedly surprising surprisingly abnormal abnormally uncommon contrary decoupling decoupled decouple diverge diverged diverging divergence disconnect outlier rare rarely streak snapped snapping reversed reversal",
        r"\b(?P<what>(?:unusual(?:ly)?|anomal\w+|unexpected(?:ly)?|surprising(?:ly)?|abnormal(?:ly)?|uncommon|contrary to|decoupl\w+|diverg\w+|disconnect|outlier|(?:ended|ending|snapp\w+|broke|breaking) (?:a|an|its|the) [^,.]{3,40}streak|streak of [a-z-]+ \w+|rare(?:ly)? [a-z]+|reversed (?:a|its|the|that|course))(?: [a-z-]+){0,4})",
        0.42, _SHORT,
        ("The article itself flags it as out of line (“{what_short}”).", "Out of line with the usual course of {topic}, in the article's own words “{what_short}”."),
        ("One odd reading proves little; a second one for {who} would make it a change of regime in {topic}.",),
    ),
    _rule(
        "jump", _ANOMALY, "surged surge jumped jump soared plunged plummeted tumbled spiked spike skyrocketed doubled tripled quadrupled halved collapsed exploded dropped fell slumped crashed shrank ballooned",
        r"\b(?P<what>(?:surg|jump|soar|plung|plummet|tumbl|spik|skyrocket|doubl|tripl|quadrupl|halv|collaps|explod|dropp|slump|crash|shrank|balloon)\w*|fell)\b",
        0.36, _NOW,
        ("A change of {figure} is large for {topic} and calls for a cause of its own.", "{figure} in one step is more than drift; the article's explanation deserves checking."),
        ("If the cause is one-off, {topic} should revert within weeks; if not, {who} is the first to be repriced.",), needs_amount=True,
    ),
    _rule(
        "considering", _WEAK, "considering mulling weighing exploring explores talks plans planning preparing prepares intends eyeing seeks seeking mulls considers weighs aims plan discussing hopes proposed proposes proposing",
        r"\b(?P<what>(?:is |are |was |were |has been |been )?(?:considering|mulling|weighing|exploring|in (?:early |advanced |ongoing )?talks|planning|preparing|eyeing|seeking|discussing)|mulls|considers|weighs|explores|plans (?:to|for)|intends to|aims to|seeks|prepares to|propos\w+)\b",
        0.37, _MEDIUM,
        ("It is an intention so far, not a deed, and {who} can still drop it.", "Nothing is signed: this shows where {who} is heading before the fact.", "The plan is early, which is why it is worth tracking {who} from here."),
        ("If {who} follows through, others in {topic} lose the excuse of waiting; if it goes quiet, that is news too.", "The step from plan to deed is the one to watch; filings or hiring by {who} would come first."), needs_actor=True,
    ),
    _rule(
        "pilot", _WEAK, "pilot pilots piloting trial trials sandbox beta prototype proof-of-concept testing tested experiment experimental early-stage testbed",
        r"\b(?P<what>pilots?|piloting|(?<!court )(?<!jury )trials? (?:of|with|phase|program\w*|for)|sandbox|(?:public |private )?beta|prototype|proof-of-concept|(?:is|are|been|began|started) testing|tested (?:the|a|its|an)|experiment\w*|early-stage)\b(?! resistance| support)",
        0.46, _MEDIUM,
        ("It is a trial, small beside the main business of {who}, and shows what may come at scale.", "At the size of a test it moves nothing yet; its result decides whether {who} goes further."),
        ("A trial that works is usually followed by a product within a year; rivals of {who} would then have to answer.",), needs_actor=True,
    ),
    _rule(
        "filing", _WEAK, "filed filing filings application trademark patent registered s-1 13f 8-k 19b-4 disclosed prospectus registration submitted applied",
        r"\b(?P<what>(?:has |have |had )?(?:filed|submitted|applied)\b(?! for bankruptcy| a lawsuit| suit| charges)(?: [a-z]+){0,5}|(?:regulatory|SEC|S-1|13F|8-K|19b-4|securities|patent|trademark|court) (?:filing|application|registration)s?|disclosed (?:in|that|a|its|the)|prospectus)\b",
        0.42, _MEDIUM,
        ("Paper comes before product: the document shows the intent of {who} ahead of any launch.", "A filing binds more than a statement, and this one puts {who} on record."),
        ("The regulator's answer, or an amendment by {who}, is the next dated event to watch.", "Copycat filings would show that others in {topic} read it the same way."), needs_actor=True,
    ),
    _rule(
        "quiet", _WEAK, "quietly silently unannounced under-the-radar low-profile stealth stealthily little-noticed unnoticed behind",
        r"\b(?P<what>quietly(?: [a-z]+){1,4}|silently(?: [a-z]+){1,4}|unannounced|under(?:-| )the(?:-| )radar|low-profile|stealth(?:ily)?|little-noticed|unnoticed|behind the scenes)\b",
        0.54, _MEDIUM,
        ("It happened without an announcement (“{what_short}”), which is the reason to look at {who} now.",),
        ("What is done quietly is often explained later; a disclosure by {who} would confirm it.",),
    ),
    _rule(
        "dormant", _WEAK, "dormant inactive satoshi-era woke reactivated awakened ancient early-era untouched dormancy",
        r"\b(?P<what>(?:long-|once-)?dormant(?: [a-z-]+){1,3}|inactive (?:for|since)[^,.]{3,30}|satoshi-era(?: [a-z-]+){1,2}|reactivated|awaken\w*|woke up|untouched (?:for|since)[^,.]{3,30})",
        0.58, _SHORT,
        ("Old coins are on the move (“{what_short}”), and the holder's reason is not known from the chain.",),
        ("If the coins reach an exchange, supply that was written off is back; if not, it is likely a change of custody.",), category="flows",
    ),
    _rule(
        "transfer", _WEAK, "moved transferred withdrew withdrawn deposited shifted withdrawal transfer outflow",
        r"\b(?P<what>moved|transferr?(?:ed)?|withdr\w+|deposited|shifted|outflow)\b",
        0.38, _NOW,
        ("A movement of {figure} shows what {who} is doing before any statement does.", "{figure} changing place is a fact that can be traced, unlike the motives given for {who}."),
        ("Follow the receiving address: an exchange means supply, cold storage means patience.",), category="flows", needs_amount=True,
    ),
    _rule(
        "first_kind", _WEAK, "first first-ever world’s inaugural debut maiden",
        r"\b(?P<what>(?:(?:become|becomes|became|becoming|is|was|are|as|marks?|marked|launch\w*|among) (?:the |its |their |one of the |[\w’']+ )?(?:world[’']s |country[’']s |nation[’']s )?first(?:-ever)?|first-ever|for the first time(?! in| since)|inaugural|maiden)(?: [a-z-]+){1,5})",
        0.44, _MEDIUM,
        ("It has no precedent to be judged by: {who} is going first.", "Being first (“{what_short}”), {who} sets the terms that others will copy or avoid."),
        ("One imitator within a quarter would turn a first into a trend in {topic}.", "How {who} fares will decide whether peers follow."), needs_actor=True,
    ),
    _rule(
        "deed", _WEAK, "bought purchased acquired acquires added raised raises secured invested approved approves allocated buys purchases issued sold",
        r"\b(?P<what>bought|purchased|acquire[ds]|added|raise[ds]|secured|invested|approve[ds]|allocated|buys|purchases|issued|sold)\b",
        0.35, _SHORT,
        ("The size, {figure}, is the point: it shows how far {who} is ready to go.", "Money has changed hands here ({figure}), so {who} is past the stage of statements."),
        ("Compare the next step of {who} with {figure}: more of the same is a policy, nothing further a gesture.", "Peers of {who} now have {figure} to measure themselves against."), needs_amount=True, needs_actor=True,
    ),
    _rule(
        "rule_change", _WEAK, "bill bills law laws rule rules ban bans license licence licensing framework guidance tax court ruling lawmakers",
        r"\b(?P<what>(?:introduc|propos|draft|advanc|pass|sign|approv|amend|repeal|overturn|block|strik|extend|delay|postpon|dismiss|rul)\w* (?:[a-z’'-]+ ){0,5}(?:bill|law|rule|rules|ban|framework|guidance|legislation|tax|order|case|decision)|(?:bill|law|rules?|ban|framework|guidance|legislation|tax) (?:[a-z’'-]+ ){0,4}(?:would|will|takes? effect|requires?|exempts?|allows?|prohibits?))\b",
        0.41, _MEDIUM,
        ("The rules are moving (“{what_short}”), and {who} has to act before practice has formed.", "It is a change of rules (“{what_short}”) that {who} cannot ignore."),
        ("Watch the next procedural date; a change of text there would matter more to {who} than the headline.", "Others who regulate {topic} tend to copy; a second jurisdiction would confirm the direction."),
    ),
    _rule(
        "incident", _WEAK, "stolen hacked exploited exploit breach breached drained compromised malware phishing ransomware scammers botnet laundered hackers attackers kidnapped vulnerability",
        r"\b(?P<what>(?:stole|stolen|hacked|exploit\w*|breach\w*|drained|compromis\w+|malware|phishing|ransomware|botnet|launder\w+|kidnapp\w+|vulnerabilit\w+)(?: [a-z-]+){0,4})",
        0.39, _NOW,
        ("The way in (“{what_short}”) is likely to be tried elsewhere before it is closed.", "The method matters more than the sum: “{what_short}” can be repeated against others."),
        ("Whoever shares the weak point with {who} is next; look for notices from similar services.",), category="security",
    ),
    _rule(
        "launch", _WEAK, "launched launches launch introduced unveiled integrates integrated partnered partnership expands expanded debuts enables allows",
        r"\b(?P<what>(?:has |have |will |is set to )?(?:launch(?:ed|es)?|introduced|unveiled|integrat(?:es|ed)|partner(?:ed|ship)|expand(?:s|ed)|debuts)(?: [a-z-]+){1,4})",
        0.35, _MEDIUM,
        ("It is new (“{what_short}”) and has no users to count yet; {who} bets that they will come.", "The step (“{what_short}”) tells where {who} sees demand."),
        ("Take-up in the first quarter will show whether {who} read {topic} rightly.",), needs_actor=True,
    ),
    _rule(
        "survey", _WEAK, "survey surveyed poll respondents percent study gen millennials owners ownership own households",
        r"\b(?P<what>(?:survey\w*|poll|respondents|study|report(?:ed)? (?:that )?(?:they )?own\w*|ownership|households)(?: [a-z]+){0,4})",
        0.38, _LONG,
        ("{figure} is what people say of themselves, which moves slowly and before the flows do.",),
        ("Compare {figure} with the next round of the same question; one reading shows a level, two a direction.",), category="adoption", needs_amount=True,
    ),
    _rule(
        "fund_flow", _ANOMALY, "inflow inflows outflow outflows netflow net",
        r"\b(?P<what>(?:net |weekly |daily |total |spot )?(?:in|out)flows?(?: [a-z]+){0,4})",
        0.36, _NOW,
        ("Money moved by {figure}, which is a trace of decisions already taken.", "{figure} of flow weighs more than opinions about the price."),
        ("If the price does not follow a flow of {figure}, someone large is on the other side.",), category="flows", needs_amount=True,
    ),
    _rule(
        "forecast", _GAP, "predicts predicted forecast forecasts target targets could expects projected projects predict projecting",
        r"(?P<what>\b(?:predict\w*|forecasts?|price targets?|project(?:s|ed|ing)|expects?|could (?:\w+ ){0,4}(?:reach|hit|climb|rise|rally|surge|drop|fall|plunge|soar|push|target))\b[^$]{0,60}\$\d[\d,.]*)",
        0.37, _SHORT,
        ("A figure of {figure} is named, but not who would have to buy or sell to get there.", "The road to {figure} is drawn from a chart or an opinion; no flow or buyer is named for it."),
        ("Ask what would prove {figure} wrong; a forecast from {who} without such a level cannot be tested.",), needs_amount=True,
    ),
    _rule(
        "emerging", _WEAK, "begun began emerging nascent beginning growing early gradually increasingly shifting starting",
        r"\b(?P<what>(?:has|have) (?:recently |also |already )?begun (?:to )?[a-z]+|began (?:to )?[a-z]+ing?|early (?:signs?|stages?|indications?)|nascent|growing number of [a-z]+|increasingly [a-z]+ing|starting to [a-z]+|(?:is|are) beginning to [a-z]+|shifting (?:from|away|toward)[a-z ]{0,30})",
        0.38, _MEDIUM,
        ("The change is at its start (“{what_short}”), too small yet to show in the totals for {topic}.",),
        ("Ask for the second data point: growth from here would show in figures that {who} publishes.",),
    ),
    _rule(
        "no_response", _GAP, "respond comment reached responded declined refused",
        r"(?P<what>(?:did|does|has|have|had) ?(?:not|n[’']t) (?:immediately |yet )?(?:respond|responded|replied|reply|return|comment)\w*|declined (?:to (?:comment|say|disclose|answer|name|provide|give|elaborate|confirm)|comment|an interview)|could not be reached|refused to (?:comment|say|disclose|answer|confirm|name))",
        0.56, _SHORT,
        ("One side of the account is missing: {who} did not answer, so the rest is told without it.",),
        ("The silence leaves the figures for {topic} unconfirmed; a statement or filing would settle it.",),
    ),
    _rule(
        "unnamed", _GAP, "sources source people insiders insider anonymous unnamed anonymity rumors rumours rumored rumoured speculation reportedly allegedly unverified unconfirmed",
        r"\b(?P<what>(?:people|sources?|persons?|insiders?) (?:familiar|close|with knowledge|briefed|told|said|say|who asked)|anonymous(?:ly)?|unnamed|on condition of anonymity|rumou?r(?:s|ed)?|speculation (?:that|about|of|over)|unverified|unconfirmed|reportedly|allegedly)\b",
        0.42, _SHORT,
        ("No named witness stands behind it (“{what_short}”); {figure_or_who} cannot be checked from the article.", "The report leans on “{what_short}”, so {figure_or_who} is a claim still to be sourced."),
        ("A second, named source or a filing would turn the claim about {who} into news; without one it may fade.",),
    ),
    _rule(
        "unclear", _GAP, "unclear unknown undisclosed disclose disclosed specify details undecided uncertain clear yet reveal questions confirmed verified verify elaborate whether",
        r"(?P<what>(?:remains? |still |is |it is |it[’']s )?(?:unclear|undisclosed|undecided)|(?:not|n[’']t) (?:yet )?(?:been )?(?:clear (?:whether|if|how|who|what|when|why)|disclos\w+|specif\w+|reveal\w*|confirmed|verified|independently verif\w+|nam(?:e|ed) the|provid\w+ (?:any |further |specific )?(?:details|figures|evidence))|no (?:further |official |specific )?(?:details|confirmation|explanation|figures) (?:on|about|of|from|were|was|have|has|for)|remains? (?:unknown|to be seen whether)|unanswered|yet to (?:disclose|confirm|announce|release|publish|say|comment)|without (?:providing|specifying|naming|disclosing|giving) )",
        0.50, _SHORT,
        ("The article leaves it open (“{what_short}”), and the rest of the story about {who} depends on it.", "A piece is missing (“{what_short}”): without it {figure_or_who} cannot be weighed."),
        ("Whoever fills in the gap first has the follow-up on {who}; ask for the document or the number.",),
    ),
    _rule(
        "disputed", _GAP, "denied denies deny disputed disputes refuted refutes contradicts contradicted contrary debunked rejected questioned misleading inaccurate false criticized criticised skeptical skepticism critics doubts accused",
        r"\b(?P<what>den(?:ied|ies)\b(?! boarding)|disput(?:ed|es)|refut\w+|contradict\w+|debunk\w+|rejected (?:the |these |those )?(?:claims?|allegations?|reports?|rumou?rs?)|questioned (?:the|whether|how|why)|misleading|inaccurate|(?:is|are|was|were) false|criticis?z?ed|skeptic\w+|critics|doubts? (?:about|over|on|that)|accus(?:ed|es) )",
        0.46, _SHORT,
        ("The account is contested (“{what_short}”), and the article does not say who is right.", "Two versions stand side by side here; {who} is party to one of them."),
        ("Which version of {topic} holds can be settled by records rather than by more statements.",),
    ),
    _rule(
        "vague_size", _GAP, "significant substantial sizable sizeable considerable massive huge portion amount",
        r"\b(?P<what>(?:an?|the) (?:significant|substantial|sizable|sizeable|considerable|massive|huge|large) (?:amount|sum|stake|portion|share|investment|number|position|quantity|purchase)s?(?: of [a-z]+)?)",
        0.36, _SHORT,
        ("The size is asserted, not given: “{what_short}” comes without a number.",),
        ("A figure from {who} would show whether this matters for {topic} at all.",),
    ),
)  # fmt: skip

# Behaviour at the margin: (label, words, strength, category).
EDGES: tuple[tuple[str, re.Pattern[str], float, str], ...] = tuple(
    (label, re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), strength, category)
    for label, pattern, strength, category in (
        ("local and over-the-counter pricing", r"OTC (?:desk|premium|market|trade)s?|kimchi premium|(?:local|regional|Korea|Coinbase|grey|gray|black) (?:market |exchange )?premium|grey market|gray market|black market|parallel market|P2P (?:market|trad\w+|platform|volume)s?|peer-to-peer (?:market|trad\w+|platform|volume|exchange)s?", 0.52, "market"),
        ("inscriptions and data on the chain", r"inscriptions?|ordinals?|runes|BRC-20|OP_RETURN|non-monetary data|spam transactions?", 0.50, "technology"),
        ("self-custody", r"self-custod\w+|cold (?:wallet|storage)s?|hardware wallets?|own keys|multisig|seed phrases?|not your keys", 0.44, "adoption"),
        ("nodes and clients", r"(?:full|running|run|Knots|lightning|validator) nodes?|node (?:operators?|count|runners?)|Bitcoin Knots|Bitcoin Core (?:developers?|contributors?|version|client|v\d+)|client software", 0.52, "technology"),
        ("forks and protocol proposals", r"(?:soft|hard)[- ]forks?|BIP[- ]?\d+|OP_CAT|OP_CTV|covenants?|improvement proposals?|UASF|mailing list|testnet|devnet|drivechain", 0.52, "technology"),
        ("Lightning and second layers", r"Lightning (?:Network|payments?|channels?|wallet)|Liquid Network|Ark protocol|rollups? on Bitcoin|Bitcoin (?:L2|layer[- ]2|rollup|sidechain)s?|BitVM|Fedimint|Cashu|ecash|Nostr", 0.46, "technology"),
        ("blockspace and fees", r"mempool|transaction fees? (?:fell|rose|drop\w*|spik\w*|per)|sats?/vB|blockspace|empty blocks?|free transactions?", 0.46, "technology"),
        ("home and hobby mining", r"solo miners?|home min(?:er|ing)s?|Bitaxe|hobby miners?|heat (?:re-?use|recovery)|waste heat|flared gas|stranded (?:gas|energy)|micro-?hydro|illegal mining|underground min\w+", 0.54, "mining"),
        ("everyday use in local economies", r"circular econom\w+|street vendors?|townships?|corner (?:shop|store)s?|taxi drivers?|farmers|villages?|unbanked|mobile money|remittances?|local merchants?|grocery|coffee shops?|favelas?|refugees?|migrants?", 0.50, "adoption"),
        ("physical coercion and personal security", r"wrench attacks?|kidnapp\w+|home invasions?|physical (?:attack|assault|threat)s?|SIM[- ]swap\w*|deepfakes?|fake (?:app|wallet|zoom|job)s?|clipboard malware|address poisoning|crypto ATMs?", 0.52, "security"),
        ("developer activity", r"developer (?:activity|community|grant|tool)s?|GitHub|hackathons?|open[- ]source (?:tool|project|software|miner|developers?|contributors?)|pull requests?|grants? (?:to|for) developers|code audit", 0.46, "technology"),
        ("community sentiment", r"subreddit|Reddit (?:users?|threads?)|Telegram (?:groups?|channels?|bots?)|Discord|social (?:dominance|volume|media mentions)|Google (?:Trends|searches?)|search interest|prediction markets?|Polymarket|Kalshi|retail interest|app store rank\w*", 0.44, "market"),
        ("small states and cities", r"(?:town|city|municipal|county|village|canton|provincial|state) (?:council|government|treasury|reserve|officials|lawmakers|legislature|pension)|micro-?state|special economic zones?|free zone|Bhutan|Turkmenistan|Paraguay|Ethiopia|Kyrgyz\w*|Bolivia\w*|Prospera|Roatán|Lugano", 0.44, "adoption"),
        ("privacy tools", r"CoinJoin|mixers?|Tornado Cash|Samourai|Wasabi|privacy (?:coin|wallet|tool|pool)s?|Monero|Zcash|silent payments?", 0.48, "technology"),
        ("small corporate treasuries", r"(?:small|micro|tiny|little-known|penny)[- ]?(?:cap|company|firm|stock)s?|convertible (?:senior )?notes?|at-the-market|ATM (?:program|offering|facility)|Bitcoin yield|BTC yield|treasury (?:company|companies|strategy|firm|vehicle)", 0.40, "adoption"),
    )
)  # fmt: skip
EDGE_REASONS = (
    "It belongs to {label}, where habits change before the averages do.",
    "Watch it as a sign from {label}: small in volume, early in time.",
    "Under {label}, this is a practice that the wider market has not priced.",
)
EDGE_IMPLICATIONS = (
    "If the same appears in a second place, {label} stops being marginal for {topic}.",
    "Growth here would reach {topic} at large through {who} or its imitators.",
)
ADJACENT_REASONS = (
    "It ties {who} to {label}, which runs on a cycle of its own.",
    "The link runs through {label}: what happens there now reaches {who}.",
    "Bitcoin is one end of this and {label} the other, so the cause may lie outside crypto.",
)
ADJACENT_IMPLICATIONS = (
    "A turn in {label} would change the position of {who} without any news from crypto.",
    "Follow {label} alongside {topic}; the lead indicator may be there.",
    "If the tie holds, {who} will be valued with {label} rather than with Bitcoin alone.",
)
