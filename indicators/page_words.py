"""The words of the indicator pages in Chinese and English."""

from typing import Final

THEMES: Final = {
    "urban_governance": ("城市治理", "Urban governance"),
    "emergency": ("应急管理", "Emergency management"),
    "livelihood": ("民生服务", "Livelihood"),
    "industry": ("产业经济", "Industry and economy"),
}
"""Theme -> Chinese, English."""

DOMAINS: Final = {
    "air": ("空气质量", "Air"),
    "bridge": ("桥梁", "Bridges"),
    "building": ("房屋建筑", "Buildings"),
    "crowd": ("人群", "Crowds"),
    "data_quality": ("数据质量", "Data quality"),
    "drainage": ("排水防涝", "Drainage"),
    "elevator_special_equipment": ("电梯与特种设备", "Lifts and special equipment"),
    "energy": ("能源", "Energy"),
    "enterprise": ("企业服务与监管", "Enterprises"),
    "environment_sanitation": ("环境卫生", "Sanitation"),
    "fire_forest": ("消防与森林防火", "Fire and forests"),
    "gas": ("燃气", "Gas"),
    "grid_cases": ("网格案件", "Grid cases"),
    "hazchem": ("危险化学品", "Hazardous chemicals"),
    "heat_power": ("供热供电", "Heat and power"),
    "hotline": ("12345热线", "Hotline 12345"),
    "iot_health": ("物联设备", "Devices"),
    "logistics": ("物流", "Logistics"),
    "noise": ("噪声", "Noise"),
    "parking": ("停车", "Parking"),
    "public_health": ("公共卫生", "Public health"),
    "public_safety": ("公共安全", "Public safety"),
    "river_lake": ("河湖水情水质", "Rivers and lakes"),
    "road_facility": ("道路设施", "Road facilities"),
    "traffic": ("道路交通", "Traffic"),
    "transit": ("公共交通", "Public transport"),
    "water_supply": ("供水", "Water supply"),
    "weather": ("气象", "Weather"),
}
"""Domain -> Chinese, English."""

LEVEL_NAMES: Final = {
    "zh": {"none": "无级别", "blue": "蓝色", "yellow": "黄色", "orange": "橙色", "red": "红色"},
    "en": {"none": "no level", "blue": "blue", "yellow": "yellow", "orange": "orange", "red": "red"},
}
"""Language -> level -> name."""

KINDS: Final = {
    "zh": {"cell": "网格", "community": "社区", "street": "街道", "district": "区", "city": "全市"},
    "en": {
        "cell": "cell",
        "community": "community",
        "street": "street",
        "district": "district",
        "city": "city",
    },
}
"""Language -> kind of area -> name."""

PROVENANCES: Final = {
    "zh": {
        "verified": "已核实",
        "partly": "部分核实",
        "partly verified": "部分核实",
        "from memory": "凭记忆",
        "engineering default": "工程默认值",
    },
    "en": {},
}
"""Language -> how well a threshold is founded -> its name, where it is not the word itself."""

WORDS: Final = {
    "zh": {
        "page": "由 `make docs` 依目录生成；公式语言见 [formulas.md](../../formulas.md)。",
        "colon": "：",
        "meaning": "含义",
        "key": "项目",
        "unit": "单位",
        "window": "窗口",
        "every": "{window}，每 {hop} 计算一次",
        "inputs": "输入",
        "areas": "区域",
        "from": "自{kind}起逐级",
        "recompute": "，上级区域由合并后的数据重新计算",
        "max": "，上级区域取各{kind}中的最大值",
        "coverage": "定级所需的传感器覆盖率",
        "alarm_needs": "定级前提",
        "early": "提前研判",
        "early_yes": "窗口结束前即可升级",
        "anomaly": "异常检测",
        "department": "责任部门",
        "level": "级别",
        "raise": "触发",
        "clear": "解除",
        "for": "持续",
        "provenance": "阈值依据",
        "source": "阈值来源",
        "note": "说明",
        "example": "示例",
        "nothing": "无值",
    },
    "en": {
        "page": "Written from the catalogue by `make docs`; the language: [formulas.md](../../formulas.md).",
        "colon": ": ",
        "meaning": "Meaning",
        "key": "property",
        "unit": "unit",
        "window": "window",
        "every": "{window}, computed every {hop}",
        "inputs": "inputs",
        "areas": "areas",
        "from": "from the {kind} on",
        "recompute": "; larger areas are computed from the merged data",
        "max": "; larger areas take the greatest value of a {kind}",
        "coverage": "share of sensors needed for a level",
        "alarm_needs": "needed for a level",
        "early": "judged early",
        "early_yes": "levels rise before the window ends",
        "anomaly": "anomaly detection",
        "department": "department",
        "level": "level",
        "raise": "raised at",
        "clear": "cleared beyond",
        "for": "held for",
        "provenance": "threshold is",
        "source": "Source of the thresholds",
        "note": "Note",
        "example": "Example",
        "nothing": "no value",
    },
}
"""Language -> key -> words."""
