"""Words and patterns that the offline rules share: names, topics, abbreviations, furniture of a page.

Only data and compiled patterns. Every pattern has bounded repetition, so none can run away on hostile text.
"""

import re


def word_set(text: str) -> frozenset[str]:
    """A set of words, written as running text."""
    return frozenset(text.split())


# The value says whether a sentence may end there: "in the U.S. The bill" ends, "Mr. Smith" does not.
ABBREVIATIONS: dict[str, bool] = {
    **dict.fromkeys(
        word_set(
            "mr mrs ms dr sen rep gov gen st prof hon rev capt lt no vs v fig approx est jan feb mar apr jun jul "
            "aug sept sep oct nov dec e.g i.e cf"
        ),
        False,
    ),
    **dict.fromkeys(word_set("u.s u.k u.n e.u d.c a.m p.m inc ltd corp co llc plc jr sr etc s.a n.v l.p bros"), True),
}

SENTENCE_STARTERS = word_set("""
        A According Additionally After Against All Also Although Among An And Another Any Are As At Back Based Because Before
        Below Besides Both But By Can Currently Despite Due During Each Earlier Even Following For Further Furthermore Given Had
        Has Have He Her Here His Historically How However If In Indeed Instead Interestingly Is It Its Last Later Let Like Many
        Meanwhile More Moreover Most My Nearly Nevertheless Nonetheless Not Notably Now Of On Once One Only Or Other Our Over
        Overall Per Perhaps Recently Several She Similarly Since So Some Still Such That The Their Then There These They This
        Those Though Through Thus To Today Together Under Unless Unlike Until Up Using We What When Where Whether Which While Who
        Why Will With Within Without Yesterday Yet You Your Related Magazine Source Disclaimer Featured Every Nobody None Three
        Two Four Five Six Seven Ten Asked Eleven Twelve Half Neither Either Whoever Anyone Something Nothing Seven Representative
    """)

# Openers that rarely stand inside a Title Case heading's last words.
HEADING_OPENERS = SENTENCE_STARTERS - word_set(
    "Its Their His Her Our Your My Who Is Are Has Have Had Can Will Not Up Only Now Like Back Another "
    "More Most Once Or So Then Under Until Why How Which Whether What You Where Related Of And"
)

# Names of newsrooms and data pages: who reports, not who acts.
PUBLISHERS = word_set("""
        Cointelegraph CoinDesk NewsBTC Bitcoinist Decrypt Bloomberg Reuters TradingView CoinMarketCap CoinGecko Unsplash
        Cryptopolitan Coinpedia CryptoPotato Finbold Benzinga Forbes CNBC CNN BitcoinWorld Bitcoin_World BeInCrypto The_Block
        Block Wu_Blockchain Fox_Business Financial_Times Wall_Street_Journal Google_Finance Yahoo_Finance Crypto_News Daily_Hodl
        Arkham Arkham_Intelligence CryptoQuant Glassnode Santiment Lookonchain Nansen Kaiko IntoTheBlock Fibonacci TruthSocial
        Truth_Social Etherscan Whale_Alert Farside SoSoValue CoinGlass DefiLlama Santiment MACD MVRV Bollinger_Bands Elliott_Wave
        Twitter X Quicktake QuickTake YouTube Telegram
    """)

HEADING_LINKS = word_set("a an the of to in on at by for from and or as with into over vs its amid after is are – - & | per via out up")

BOILERPLATE = re.compile(
    r"""^\W{0,3}(?:related(?:\ (?:reading|articles?|news|stories))?|magazine|read\ (?:more|also|next|on)|also\ read|see\ also|source|
        sources|featured\ image|
        image(?:\ (?:via|source|credit))?|photo|cover\ image|chart\ (?:by|via|from)|continue\ reading|disclaimer|disclosure|
        more\ for\ you|
        story\ highlights|table\ of\ contents|key\ takeaways|external\ references|subscribe|sign\ up|follow\ us|join\ (?:us|our)|
        click\ here|
        editor['’]s\ note|about\ (?:the\ author|us)|contact|press\ release|sponsored|advertisement|share\ this|tags|don['’]t\ miss|
        check\ (?:out|price)|stay\ (?:tuned|updated|ahead|informed)|trending|latest\ news|watch)\b\s*[:–—.|-]
    |^the\ post\b
    |\b(?:appeared\ first\ on|originally\ (?:published|appeared)|read\ more\ about|to\ learn\ more\ about|explore\ our\ article|
        (?:not|nor)\ (?:be\ (?:considered|taken\ as|construed\ as)\ |constitute\ |intended\ as\ |meant\ as\ |provide\ |
        an?\ )?(?:as\ )?(?:financial|investment|trading|legal)\ (?:or\ \w+\ )?advice|
        (?:does|do)\ not\ (?:contain|constitute|offer|provide)\ (?:any\ )?(?:financial|investment|trading)|
        every\ (?:investment|trade)\b.{0,40}\brisk|conduct\ (?:their|your)\ own\ research|do\ your\ own\ research|(?:before|
        when)\ making\ (?:a|any)\ (?:investment\ )?decision|
        holds\ no\ liability|stay\ informed|stay\ updated|your\ subscription|subscription\ now|real-time\ (?:crypto|updates|news)|
        monthly\ receive|webclass|re-subscribe|for\ subscribing|welcome\ to\ our|breaking\ news,|faqs?\b.{0,3}:|wallet\ and\ buy\ now|
        buy\ now|visit\ the\ (?:links?|website|official)|you\ (?:might|may)\ also\ like|for\ more\ information|press\ inquiries|
        media\ contact|
        holds\ no\ responsib|responsib(?:le|ility)\ for\ any\ (?:loss|invest|damage)|for\ informational\ purposes|
        informational\ and\ educational|educational\ purposes|subscribe\ to|sign\ up\ (?:for|to|here)|our\ (?:newsletter|telegram|
        twitter|youtube|channel|social)|
        follow\ (?:us|me)\ on|join\ (?:us|our)\ on|get\ (?:the\ )?(?:latest|daily|email)\b.{0,50}\b(?:inbox|alerts?|newsletter)|
        straight\ to\ your\ inbox|
        delivered\ to\ your\ inbox|all\ rights\ reserved|cookie|affiliate\ (?:link|disclos)|promo(?:tional)?\ code|referral\ (?:code|
        link)|special\ offer|sponsored\ (?:content|post|by)|
        featured\ image|image\ (?:from|via|credit|courtesy|source)|(?:chart|charts|image|images|photo)\ (?:from|by|via|courtesy)|
        shutterstock|unsplash|getty\ images|dall-?e|midjourney|
        pic\.twitter|t\.co/|\(source:|https?://|www\.|tradingview\.com|see\ you\ in\ the\ next|found\ this\ article\ helpful|
        share\ it\ (?:with|on)|
        views?\ (?:and\ opinions\ )?expressed\b|opinions\ expressed|high-risk\ asset|highly\ (?:volatile|speculative)\ (?:and|asset)|
        lose\ (?:all\ (?:of\ )?)?your\ (?:money|capital)|capital\ (?:is\ )?at\ risk|
        invest(?:ing)?\ in\ (?:crypto\w*|digital\ assets)\ (?:carries|involves)|editorial\ (?:policy|process|team)|fact-?checked|
        press\ time\ statistics)""",
    re.IGNORECASE | re.VERBOSE,
)

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")

# The order in which a tie between topics is settled.
TOPIC_ORDER = ("security", "mining", "regulation", "derivatives", "technology", "macro", "flows", "adoption", "market")

# Topic -> words (matched as whole lower-case tokens, a trailing * is a prefix).
TOPICS: dict[str, frozenset[str]] = {
    "regulation": word_set("""
        regulat* sec cftc lawmaker* congress senate senator* bill legislation law laws legal court judge lawsuit sue* licens*
        compliance mica treasury ban banned tax taxes irs doj prosecut* subpoena* enforcement parliament fca esma fatf ruling
        policy* sanction* settlement aml kyc commissioner genius clarity
    """),
    "mining": word_set(
        "mining miner* hashrate hashprice hash difficulty asic* bitmain halving exahash eh/s ph/s th/s mw "
        "rig rigs coinbase-reward pool pools immersion"
    ),
    "flows": word_set(
        "inflow* outflow* etf etfs withdraw* deposit* netflow* reserves accumulat* whale* transfer* holdings "
        "outflow exchange-held ibit fbtc gbtc dormant holders"
    ),
    "security": word_set(
        "hack* exploit* stolen theft breach* attack* scam* phishing vulnerab* malware ransom* laundering "
        "drained kidnap* fraud* ponzi quantum heist extort* leak* wrench"
    ),
    "macro": word_set(
        "fed fomc powell inflation cpi ppi tariff* rates yields treasuries bond bonds recession dollar dxy "
        "gdp gold jobs payroll* unemployment liquidity m2 macro* geopolit* iran israel oil"
    ),
    "technology": word_set("""
        upgrade* protocol* developer* testnet mainnet lightning taproot bip opcat op_cat ordinals inscription* runes node nodes
        fork* soft-fork client core rollup* layer-2 l2 zk* sidechain* wallet op_return mempool covenant* smart-contract* bridge*
        open-source github quantum-resistant
    """),
    "adoption": word_set(
        "adopt* payment* merchant* accept* reserve treasury treasuries corporate* bank banks institution* "
        "pension* sovereign legal-tender remittance* partnership* custody stablecoin*"
    ),
    "derivatives": word_set(
        "futures option options open-interest leverage* liquidat* perpetual* longs shorts volatility cme deribit puts calls expiry skew"
    ),
    "market": word_set(
        "price* rally support resistance bull* bear* trader* analyst* market* volume breakout rsi ath dominance chart* technical altcoin*"
    ),
}

AGENCIES = word_set("""
        SEC CFTC DOJ IRS FBI FCA ESMA MAS FATF FinCEN OFAC BIS IMF ECB Fed FOMC Treasury Congress Senate Parliament Europol
        Interpol FDIC OCC FSA HKMA SFC CBN RBI SEBI NYDFS DFS FTC BaFin AUSTRAC Pentagon Kremlin Federal_Reserve White_House
        Securities_and_Exchange_Commission
    """)
COMPANIES = word_set("""
        Binance Coinbase Kraken Bitfinex Bitget Bybit OKX Gemini KuCoin Bitstamp Robinhood MicroStrategy Strategy BlackRock
        Fidelity Grayscale ARK VanEck Bitwise Franklin WisdomTree CoinShares Tether Circle Paxos Ripple Metaplanet Marathon MARA
        Riot CleanSpark Hut Bitfarms TeraWulf Cipher Core_Scientific IREN Bitdeer Bitmain Canaan Galaxy Block Square PayPal Visa
        Mastercard Stripe SpaceX Tesla Nvidia GameStop Semler SoftBank Cantor JPMorgan Goldman Citi Citigroup Barclays HSBC UBS
        Standard_Chartered Deutsche_Bank Santander Revolut Chainalysis CryptoQuant Glassnode Santiment Arkham Elliptic Nansen
        Kaiko Lookonchain Deribit CME Nasdaq NYSE Cboe Ledger Trezor Blockstream Lightspark Chainlink Uniswap Aave Lido Celsius
        FTX Genesis BitGo Anchorage Trump_Media Twenty_One KULR Ondo Upbit Bithumb Bitcoin_Core Vanguard Schwab Reddit Meta Google
        Microsoft Amazon Apple CoinGecko CoinMarketCap DefiLlama Nakamoto K33 QCP Wintermute Polymarket Kalshi
    """)
PLACES = word_set("""
        America Argentina Australia Austria Bhutan Brazil Britain California Canada Chile China Colombia Cyprus Czech Dubai Egypt
        El_Salvador England Estonia Ethiopia Europe Finland Florida France Germany Ghana Greece Hong_Kong Iceland India Indonesia
        Iran Iraq Ireland Israel Italy Japan Kazakhstan Kenya Korea Kuwait Lebanon Malaysia Malta Mexico Nepal New_Zealand Uruguay
        Bolivia Georgia Netherlands Nigeria Norway Pakistan Panama Paraguay Peru Philippines Poland Portugal Qatar Romania Russia
        Rwanda Singapore Spain Sweden Switzerland Taiwan Texas Thailand Turkey Turkmenistan Ukraine Uzbekistan Venezuela Vietnam
        Washington Wyoming Arizona Ohio Kentucky Tennessee Michigan Nebraska Norwegian Arkansas York New_Hampshire New_York
        South_Korea South_Africa North_Korea Saudi_Arabia United_States United_Kingdom European_Union UAE UK EU US U.S.
    """)
ASSETS = word_set("""
        Bitcoin BTC Bitcoins Ethereum ETH Ether XRP Solana SOL Dogecoin DOGE Cardano ADA Litecoin LTC USDT USDC BNB Crypto
        Cryptocurrency Blockchain DeFi NFT NFTs ETF ETFs Stablecoin AI USD UTC Web3 DAO DEX TVL ATH RSI MACD EMA SMA CEO CFO COO
        CTO API IPO GDP CPI PPI Q1 Q2 Q3 Q4 X Altcoin Altcoins Stablecoins OTC HODL FUD FOMO KYC AML RWA P2P TradFi NYC L2 L1 DCA
        PoW PoS HPC APY ROI II III
    """)
NOT_NAMES = (
    SENTENCE_STARTERS
    | word_set("""
        Monday Tuesday Wednesday Thursday Friday Saturday Sunday President Chairman Chair Chief Executive Officer Founder Analyst
        Senator Representative Governor Minister Secretary Judge Spot Digital Asset Assets Market Markets Exchange Exchanges Price
        Prices Trading Traders Investors Wall Street Act Bill House Whale Whales Bulls Bears Miners Mining Network Quicktake
        Looking Specifically Ultimately Finally Certainly Generally Typically Technically Just Key Top New First Second Third Next
        Right Recent Potential High Low Long Short I Mr Mrs Dr Data Report Reports News Update Analysis Prediction Company Firm
        Bank Banks Fund Funds Token Tokens Coin Coins Global Major Institutional Retail Users Developers Experts Japanese Chinese
        American Americans Russian Korean European British German French Indian Iranian Israeli Brazilian Canadian Australian
        Swiss Ukrainian Turkish Spanish Italian Nigerian Asian Western Section Title Schedule Release Chapter Appendix
        Miscellaneous Purchase Hedge Note Notes Day Week Month Friday’s Old Young Democrats Republicans Democratic Republican Gen Internet
        Government Fortune Vice Executive Authorities Act Trade Securities Public Analysts Officials Lawmakers Regulators Critics
        Supporters Sources Shares Stock Stocks Revenue Volume Support Resistance Outlook Impact Summary Conclusion Overview
        Introduction FAQs Yes No Alternatively Consequently Therefore Hence Regardless Amid Across Around Beyond Considering
        Especially Including Speaking Writing Citing Launched Founded Posted Published Announced Initially Previously Subsequently
        Simply Essentially Additional Crypto-related On-chain Onchain Long-term Short-term Total Average Increased Growing Rising
        Falling Read Think Imagine
    """)
    | frozenset(MONTHS)
)

# What lies next door to Bitcoin: field -> (words, how a sentence names it).
ADJACENT: dict[str, tuple[str, frozenset[str]]] = {
    "ai": (
        "AI and high-performance computing",
        word_set("ai hpc gpu gpus nvidia openai chatgpt datacenter datacenters hyperscale hyperscaler hyperscalers coreweave"),
    ),
    "energy": (
        "energy and power grids",
        word_set(
            "grid grids electricity kilowatt megawatt megawatts mw gw gigawatt hydropower hydroelectric nuclear "
            "solar geothermal flared ercot blackout blackouts kwh power-grid"
        ),
    ),
    "bonds": ("bond and rates markets", word_set("yields yield-curve bonds jgb jgbs convertible fomc moody's moody’s")),
    "gold": ("gold and commodities", word_set("gold silver oil crude copper bullion")),
    "insurance": ("insurance", word_set("insurance insurer insurers reinsurance annuity annuities underwriters premium-financed")),
    "pensions": ("pensions and retirement money", word_set("pension pensions 401(k) 401k retirement endowment superannuation")),
    "housing": ("housing and mortgages", word_set("mortgage mortgages housing freddie fannie homebuyers")),
    "politics": (
        "politics and elections",
        word_set(
            "election elections democrat democrats republican republicans midterm midterms donor donors impeachment voters referendum"
        ),
    ),
    "trade": ("trade and geopolitics", word_set("tariff tariffs sanctions ceasefire missile war invasion geopolitical hormuz embargo")),
    "telecoms": ("telecoms and satellites", word_set("telecom telecoms satellite satellites starlink 5g broadband")),
    "gaming": ("gaming and entertainment", word_set("gaming gamers esports videogame roblox hollywood football nfl nba olympics")),
    "quantum": ("quantum computing", word_set("quantum qubit qubits post-quantum willow")),
    "chips": ("chips and hardware supply", word_set("semiconductor semiconductors tsmc chips samsung chipmaker chipmakers foundry wafers")),
    "payments": (
        "card networks and payments",
        word_set("visa mastercard remittance remittances swift point-of-sale paypal cashapp western-union"),
    ),
    "mining_finance": (
        "corporate credit",
        word_set("bitcoin-backed collateral collateralized collateralised credit-facility lender lenders"),
    ),
}
