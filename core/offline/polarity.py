"""Weights and words of the sentiment rules.

Data only. A cue's two numbers say how much it speaks for "bad" and for "good" against "neutral". They were fitted by ridge-penalised
multinomial regression to the CryptoLin half that the desk has; the words were chosen by hand, for their sense in finance and crypto.
"""

# ruff: noqa: E501

# Bad and good before anything is known of a headline.
BASE = (-1.00, 0.12)

# Cue -> (bad, good, phrases).
CUES: dict[str, tuple[float, float, str]] = {
    "funding": (
        -0.72,
        -0.16,
        "funding; series a; series b; series c; series d; seed; seed round; funding round; round; private sale; token sale; saft; valuation; unicorn; venture; vc; led by; bags; nets; valued at; token round; in seed funding; stake",
    ),
    "raise": (-0.14, 0.09, "raise; raises; raised; closes; closed; secure; attract; haul; rakes in; raking in; brings in"),
    "backing": (-0.10, -0.31, "leads; led; backs; backed; backing; join seed round; participate; invests in; co lead"),
    "fund": (-0.44, 0.22, "fund; hedge fund; etf; trust; etn; futures etf; investment product"),
    "launch": (
        -0.21,
        0.08,
        "launch; unveil; debut; release; roll out; rolls out; rolled out; rolling out; goes live; go live; now live; is live; going live; went live; create; build; opens; reveal; deploy; stand up; spin off; develop; form; set up; start",
    ),
    "introduce": (
        -0.07,
        -0.13,
        "introduce; introducing; present; presents; announce; announcing; proudly; excitedly; announcement; join us; join the; meet",
    ),
    "acquire": (0.11, 0.03, "acquire; acquisition; buy; bought; purchase; merger; merge; takeover; take over; snap up; scoop; stake in"),
    "invest": (
        -0.34,
        -0.15,
        "invest; investment; pour; allocate; inject; pump; bet on; position in; exposure to; inflow; accumulate; hodl",
    ),
    "partner": (-0.72, -0.29, "partner; partnership; team up; collaborate; alliance; ink; sign; tie up; link; deal with; together"),
    "support": (
        -0.21,
        0.69,
        "support; add; accept; adopt; adoption; integrate; integration; enable; allow; offer; let; expand; extend; bring; custody; settle; serve; reward; incorporate; available; embrace; tap; open up; access; use; now accepts",
    ),
    "approve": (
        -0.05,
        0.27,
        "approve; approval; license; licence; charter; green light; greenlight; clear to; nod; win; won; authorise; authorize; legal tender; permission; recognise; recognize; award; victory; regulatory approval",
    ),
    "record": (
        -0.09,
        0.05,
        "record; all time high; highest; new high; milestone; largest ever; biggest ever; unprecedented; new all time high; high; 100 days; since",
    ),
    "up": (
        -0.21,
        0.29,
        "surge; soar; rally; rise; rose; jump; climb; skyrocket; spike; gain; grow; grew; growth; increase; double; triple; quadruple; rebound; recover; recovery; boom; bull; bullish; breakout; breaks above; break above; outperform; moon; up; above; higher; exceed; surpass; overtake; outpace; cross; top; tops; topped; past; reach; hit; hits; overcome",
    ),
    "hire": (
        -0.20,
        0.21,
        "hire; hiring; join; appoint; name; tap as; recruit; headcount; add to board; advisory board; joins board; product lead; head of",
    ),
    "plan": (
        0.11,
        0.23,
        "plan; set to; look to; looking to; prepare; consider; explore; eye; aim; seek; want; intend; mull; may; could; will; expect; would; might; upcoming; soon; ready to; gear up; on track",
    ),
    "ipo": (-0.30, 0.12, "ipo; go public; direct listing; public listing; nasdaq; nyse; spac; listing; list; public"),
    "charity": (-0.29, 0.28, "donate; donation; charity; relief; fight against; gift; offset"),
    "good": (
        -0.20,
        0.19,
        "success; successful; optimistic; optimism; productive; benefit; improve; improved; best; better; breakthrough; innovation; innovative; innovate; great; strong; strength; relentless demand; oversubscribed; profit; profitable; popular; leading; top; boost; advance; upgrade; progress; forward; secure; safe; opportunity; opportunities; efficient; efficiency; potential; promising; praise; hub; openness; friendly; earn; generate; revenue; demand; worth; exciting; easy; easier; privacy; solution; paving the way; viable; faster; cheap; save; reward; free",
    ),
    "first": (0.00, 0.46, "first; first ever; first time; worlds first; new; newest; latest; second; biggest; largest; giant"),
    "hack": (
        1.20,
        -0.19,
        "hack; exploit; steal; stole; stolen; theft; attack; attacker; breach; drain; bug; vulnerability; scam; scammer; fraud; rug pull; ponzi; phish; fake; malware; compromise; leak; hijack; hacker; ransomware; ransom; thief; victim; heist; loot; rug; cyberattack; flaw; 51%; insider",
    ),
    "enforce": (
        0.98,
        -0.29,
        "sue; lawsuit; charge; fine; penalty; probe; investigate; investigation; subpoena; arrest; seize; seizure; crackdown; crack down; ban; block; halt; suspend; pause; shut down; shutting down; shutdown; shuts; delist; restrict; restriction; illegal; unregistered; allege; convict; guilty; sentence; prison; jail; launder; money laundering; cease; order; enforcement; sanction; bust; raid; censor; stop; prohibit; cease and desist; extradite; indict; evade; tax evasion; violate; violation; court; class action; settle charges; terror; snitch; fight; settlement with",
    ),
    "warn": (
        0.77,
        -0.42,
        "warn; warning; risk; risky; threat; threaten; concern; worry; worried; fear; danger; caution; anxiety; alarm; scrutiny; pressure; uncertain; uncertainty; controversy; backlash; criticise; criticize; slam; blast; oppose; doubt; skeptic; sceptic; tighter; tighten; limit; regret; carbon; environmental; energy use; carbon footprint; problem; difficult; struggle; issue with; outage; crisis; blame; attack on; overstep; lose all; challenge; against; hostile; bubble; disrupt; instability; stoppage; not capable; shadow; clean up; hot on; brace",
    ),
    "down": (
        0.46,
        -0.42,
        "fall; fell; drop; plunge; crash; tumble; slump; slide; sink; sank; decline; slip; dip; down; downward; below; low; all time low; lowest; lose; lost; loss; liquidate; liquidation; sell off; selloff; bear; bearish; plummet; dump; correction; halve; negative; disappoint; lag; shrink; fade; retreat; outflow; bleed; wipe out; burn; destroy; weak; worst; pull back; tank",
    ),
    "refuse": (
        0.34,
        -0.71,
        "delay; reject; deny; denies; cut; fail; failed; cancel; withdraw; postpone; step back; steps back; stepping down; exit; leave; quit; resign; departure; step down; close down; not; wont; stop offering; kill; never; unable; no longer; punt; mistake; error; disable; cuts ties; without; isnt; arent; doesnt; no; lack",
    ),
    "question": (-0.30, -0.72, "how; why; what; whats; is it; should; who; which; heres; here; do you; does; dos; donts"),
    "feature": (
        -0.57,
        -0.69,
        "a look; inside look; conversation; interview; explain; explained; guide; overview; vs; versus; key crypto; layer by layer; part i; part ii; part 1; part 2; tips; trends; lesson; review; deep dive; analysis; analyzing; outlook; primer; framework for; comparison; comparing; differentiate; difference; differences; basics; beginner; story; origin; mapping out; unpacking; video; slides; recap; weekly; newsletter; podcast; everything you; understanding; meaning; history of; things; ways; reasons; policy scoop; edition; exit interview; a closer; look back; look at; episode; ama; download; tutorial; introduction; myth; craze; crypto hires; company intelligence; data dashboard; charts; to watch; need to know; issue; recommendation",
    ),
    "policy": (
        0.11,
        -0.72,
        "congress; senate; senator; sen; rep; lawmaker; bill; law; legislation; regulator; regulation; regulatory; sec; cftc; fdic; occ; fed; treasury; chair; chairman; commissioner; governor; hearing; propose; proposal; guidance; rule; comment; consultation; policy; government; minister; tax; fatf; framework; yellen; powell; gensler; warren; central bank; bank of england; bank of japan; cbdc; digital euro; digital yuan; digital dollar; stablecoin; oversight; committee; nominee; house; democrat; republican; white house; ecb; bis; imf",
    ),
    "china": (
        0.86,
        0.37,
        "china; chinese; chinas; korea; korean; beijing; mongolia; sichuan; turkey; india; indias; russia; russian; iran; nigeria",
    ),
    "says": (
        0.64,
        -0.26,
        "say; said; tell; told; argue; claim; suggest; think; believe; call; predict; forecast; according to; ceo; official; analyst; strategist; founder; survey; poll; report; data; official says; talks; comment; ask; asks",
    ),
    "nft": (
        -0.28,
        -0.07,
        "nft; nfts; art; artist; auction; collectible; game; gaming; metaverse; avatar; sothebys; christies; sell nft; non fungible; play to earn; music; sports; collection; drop",
    ),
    "mining": (0.34, 0.37, "mining; miner; hashrate; asic; mine; difficulty"),
    "defi": (
        -0.00,
        -0.01,
        "defi; dao; dex; token; airdrop; governance token; protocol; staking; yield; liquidity; swap; amm; layer 2; bridge; ido; ico; ieo; presale; blockchain",
    ),
    "price": (
        -0.21,
        0.10,
        "price; market cap; volume; supply; trading volume; premium; volatility; volumes; revenue; futures; option; derivative; open interest; long position",
    ),
    "bank": (
        0.27,
        0.62,
        "bank; jpmorgan; goldman; morgan stanley; citi; fidelity; visa; mastercard; paypal; square; microstrategy; tesla; blackrock; bny mellon; hedge fund; billionaire; institutional; wall street",
    ),
    "binance": (0.59, -0.50, "binance"),
    "tether": (0.07, -0.28, "tether; usdt"),
    "memecoin": (-0.46, -0.20, "dogecoin; doge; shib; shiba; memecoin; elon musk; musk"),
    "promotion": (
        -0.43,
        -0.31,
        "airdrop; campaign; contest; giveaway; bounty; ecosystem; platform; app; marketing; your; you; our; we; ambassador; community; token holders; exchange agreement; whitelist",
    ),
    "police": (-0.27, -0.25, "police; authorities; doj; fbi; law enforcement; judge; prosecutor; justice; irs; interpol"),
    "sell": (0.03, -0.02, "sell; sold; sale; selling; offload; dump"),
    "sport": (0.12, -0.35, "sponsor; stadium; nba; football; super bowl; team; naming right; celebrity; star; brand"),
    "relief": (
        -0.63,
        0.10,
        "overcome; despite; fight against; combat; dismiss; prevent; protect; unsuccessful; foil; spare; recovered; defend; resolve; restore; restart; resume; short positions; shorts; return; reopen; overturn; spares; before swinging back; helps; aid; comply; compliance",
    ),
    "trial": (-0.39, -0.09, "test; trial; pilot; experiment; study; working on; weigh; working with; research; explore"),
    "filing": (-0.43, 0.09, "file; files for; files to; filing; application; prospectus; amend; submit; apply; applies; decision"),
    "moving": (-0.62, -0.20, "migrate; migrating; relocate; move; moving; shift; enter; enters; expansion; headquarters"),
    "role": (
        -0.21,
        -0.77,
        "former; ex; vet; veteran; boss; exec; executive; chief; president; board; advisor; adviser; co founder; founder",
    ),
    "startup": (
        -0.14,
        0.54,
        "startup; firm; company; platform; exchange; custodian; lender; network; marketplace; provider; studio; developer",
    ),
    "amountword": (0.04, 0.40, "million; billion; trillion"),
    "law": (
        -0.22,
        -0.40,
        "legal; dismiss; motion; jury; testify; appeal; complaint; lawyers; attorney; attorney general; trial date; ruling; rules that",
    ),
    "compliance": (
        1.06,
        0.44,
        "illegal mining; unlicensed; without licence; without a license; prohibited; tighten rules; new rules; kyc; aml; mandatory; travel rule; warns; consumer; customers; block payments",
    ),
}

# What the form of a headline says.
SHAPES: dict[str, tuple[float, float]] = {
    "question mark": (-0.84, -1.00),
    "exclamation": (-0.24, -0.21),
    "percent": (0.55, 0.09),
    "dollars": (0.62, 0.50),
    "million": (0.03, 0.28),
    "title case": (-1.24, -1.18),
    "short": (-0.75, -0.77),
    "long": (-0.30, -0.05),
    "report": (-0.00, 0.54),
    "asks": (-0.60, -0.60),
    "colon": (-0.20, -0.22),
}

# The first doing in a headline counts once more.
LEADS: dict[str, tuple[float, float]] = {
    "launch": (-0.35, 0.13),
    "acquire": (-0.43, 0.30),
    "partner": (-0.26, 0.15),
    "support": (-0.43, 0.38),
    "raise": (0.07, 0.15),
    "invest": (-0.26, 0.04),
    "hire": (-0.19, 0.18),
    "plan": (-0.05, -0.33),
    "introduce": (-0.38, -0.44),
    "ipo": (-0.66, -0.53),
    "backing": (-0.14, 0.37),
    "approve": (-0.01, 0.07),
    "up": (0.58, 0.69),
    "down": (0.87, -0.46),
    "hack": (1.08, -0.55),
    "enforce": (0.83, 0.01),
    "warn": (0.36, -0.25),
    "refuse": (0.47, -0.46),
    "sell": (-0.02, -0.22),
    "filing": (-0.34, 0.44),
    "says": (-0.16, 0.24),
    "trial": (0.24, 0.46),
}
LEADING = frozenset(LEADS)

# Combinations.
PAIRS: dict[str, tuple[float, float]] = {
    "relief": (-2.06, 1.40),
    "much trouble": (0.67, -0.65),
    "hardly a cue": (-0.32, -0.65),
    "raises dollars": (-0.19, 0.33),
    "trouble relieved": (-0.42, 0.18),
    "up and down": (0.19, 0.06),
    "policy helps": (0.79, 0.52),
    "policy hurts": (0.84, -0.12),
    "price up": (0.20, 0.57),
    "plans a step": (-0.30, -0.19),
}
TROUBLE = frozenset(("hack", "enforce", "warn", "down", "refuse", "compliance"))

# Words of a text in market sense. Movements (UP, DOWN) are good or bad by what moves.
POSITIVE = """bullish optimism optimistic confidence confident gain gains profit profitable success successful strong strength support supportive approve approved approval adoption adopt milestone
breakthrough record win victory boost positive favorable favourable benefit opportunity robust healthy resilient resilience recovery rebound rally breakout outperform upgrade partnership momentum
accumulate accumulation inflow legitimacy clarity innovative improve improved improvement progress secure surpass exceed beat upside bull promising endorse embrace stable growth demand ath"""
NEGATIVE = """bearish fear fears panic loss losses hack hacked exploit stolen theft scam fraud lawsuit sue sued charges charged fine penalty ban banned crackdown investigation probe illegal bankrupt bankruptcy
insolvency liquidate liquidated liquidation liquidations selloff sell-off capitulation crash collapse recession crisis risk risky warning warn concern concerns worry worried uncertainty volatile weak weakness
reject rejected rejection delay delayed fail failed failure negative pessimism pessimistic pressure downside bear outflow outflows vulnerability attack breach default slump plunge outage halt suspend suspended
shutdown layoffs overvalued bubble manipulation laundering sanction sanctions criminal arrested guilty prison victim drain damage struggle trouble threat threaten tension tensions war hostile backlash criticism"""
UP = "rise rises rose rising climb climbs climbed jump jumped surge surged soar soared increase increased grow grew grown growing expand expanded spike spiked higher up double doubled triple skyrocket skyrocketed rallied accelerate"
DOWN = "fall falls fell fallen falling drop drops dropped decline declined decrease decreased slide slid slip slipped sink sank tumble tumbled plummet plummeted dip dipped lower down shrink shrank narrow narrowed halve ease eased cool cooled"
BAD_THINGS = """loss losses outflow outflows inflation unemployment fear fears risk risks hack hacks fraud scam scams debt liquidation liquidations pressure volatility tariff tariffs fee fees cost costs crime theft lawsuit charges
charge case probe investigation sanction sanctions ban tension tensions recession uncertainty penalty difficulty restriction restrictions suit complaint deficit war default"""
RELIEF = "drop drops dropped dropping dismiss dismissed withdraw withdrew lift lifted ease eased end ended resolve resolved settle settled avoid avoided overturn overturned reverse recover recovered repeal repealed pause paused scrap scrapped overcome narrow narrowed"
NEGATIONS = "not no never without neither nor cannot didnt doesnt isnt wasnt wont arent werent dont hasnt havent fails failed lack lacks hardly unlikely"
INTENSIFIERS = "very highly sharply strongly massive massively huge significant significantly substantial steep dramatically record extremely heavily major"
HEDGES = "may might could possibly perhaps potential potentially if would reportedly"
